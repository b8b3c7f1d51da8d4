//! JSON written by hand, for the two places on the request path where a tree of values would cost more than the
//! decision itself.

/// Writes a JSON string; what needs no escape is copied in runs.
pub(crate) fn string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    fragment(out, value);
    out.push(b'"');
}

/// Writes the inside of a JSON string, without the quotes.
pub(crate) fn fragment(out: &mut Vec<u8>, value: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = value.as_bytes();
    let mut copied = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[copied..index]);
        copied = index + 1;
        if byte < 0x20 {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 0xf)]);
        } else {
            out.extend_from_slice(&[b'\\', byte]);
        }
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Writes a key as one token of a JSON pointer (RFC 6901), inside a JSON string.
pub(crate) fn pointer_token(out: &mut Vec<u8>, key: &str) {
    let mut copied = 0;
    for (index, character) in key.match_indices(['~', '/']) {
        fragment(out, &key[copied..index]);
        out.extend_from_slice(if character == "~" { b"~0" } else { b"~1" });
        copied = index + 1;
    }
    fragment(out, &key[copied..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_reads_back(text in any::<String>()) {
            let mut out = Vec::new();
            string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn any_key_is_found_again(key in any::<String>()) {
            let object = serde_json::json!({ key.clone(): 1 });
            let mut out = b"\"/".to_vec();
            pointer_token(&mut out, &key);
            out.push(b'"');
            let pointer: String = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(object.pointer(&pointer), Some(&serde_json::json!(1)));
        }
    }
}

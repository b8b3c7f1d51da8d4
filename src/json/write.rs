//! Strings, written straight into a buffer.

use super::skip;

/// Writes a JSON string; what needs no escape is copied in runs.
pub(crate) fn string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    fragment(out, value);
    out.push(b'"');
}

/// Writes the inside of a JSON string, without the quotes.
fn fragment(out: &mut Vec<u8>, value: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = value.as_bytes();
    while let Some(special) = skip::special(rest, 0) {
        let (plain, byte) = (&rest[..special], rest[special]);
        out.extend_from_slice(plain);
        if byte < 0x20 {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 0xf)]);
        } else {
            out.extend_from_slice(&[b'\\', byte]);
        }
        rest = &rest[special + 1..];
    }
    out.extend_from_slice(rest);
}

/// Writes a key as one token of a JSON pointer (RFC 6901), inside a JSON string.
pub(crate) fn pointer_token(out: &mut Vec<u8>, key: &str) {
    let mut rest = key;
    while let Some(special) = rest.bytes().position(|byte| byte == b'~' || byte == b'/') {
        let (plain, from_special) = rest.split_at(special);
        fragment(out, plain);
        out.extend_from_slice(if from_special.starts_with('~') { b"~0" } else { b"~1" });
        rest = &from_special[1..];
    }
    fragment(out, rest);
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

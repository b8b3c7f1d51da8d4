//! Partition keys of `InfiniBand` networks.
//!
//! ib-kubernetes reads text in hexadecimal with `0x` in front; the guide writes a number. 0x7fff is the
//! default partition and the greatest key: the bit above it says full membership and is the subnet
//! manager's to set.

use serde_json::Value;

use crate::api::IntOrString;
use crate::rules::Notice;

const GREATEST: i64 = 0x7fff;

/// Writes a number, or text in decimal, as ib-kubernetes reads it.
pub(super) fn normalise(spec: &mut Value, notices: &mut Vec<Notice>) {
    let Some(value) = spec.pointer_mut("/ibsriov/pkey") else { return };
    let Some(canonical) = canonical(value) else { return };
    let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    // 0X7fff cannot have been meant otherwise.
    let doubt = if written.starts_with("0X") {
        String::new()
    } else {
        format!("; if hexadecimal was meant, write \"0x{written}\"")
    };
    let message = format!("{written} is a deprecated spelling of {canonical:?}{doubt}");
    notices.push(Notice::mended("spec.ibsriov.pkey", message));
    *value = canonical.into();
}

/// The canonical text of a valid key that is written otherwise.
fn canonical(value: &Value) -> Option<String> {
    let decimal = match value {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) if text.starts_with("0X") => {
            let lower = text.replacen("0X", "0x", 1);
            return problem(&IntOrString::String(lower.clone())).is_none().then_some(lower);
        }
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
        _ => return None,
    };
    (1..=GREATEST).contains(&decimal).then(|| format!("0x{decimal:04X}"))
}

/// What is wrong with a key, if anything is; empty text is none.
pub(super) fn problem(key: &IntOrString) -> Option<&'static str> {
    const FORM: &str = "must be a partition key in hexadecimal from \"0x0001\" to \"0x7fff\"";
    let IntOrString::String(text) = key else { return Some(FORM) };
    if text.is_empty() {
        return None;
    }
    let digits = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    match digits.and_then(|digits| i64::from_str_radix(digits, 16).ok()) {
        Some(1..=GREATEST) => None,
        Some(0x8001..=0xffff) => Some(
            "must be a partition key in hexadecimal from \"0x0001\" to \"0x7fff\": leave out the membership bit \
             0x8000, the subnet manager sets it",
        ),
        _ => Some(FORM),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_decimal_text_become_hexadecimal_text() {
        let table = [
            (json!(1000), Some("0x03E8")),
            (json!("1000"), Some("0x03E8")),
            (json!(32767), Some("0x7FFF")),
            (json!("0X7fff"), Some("0x7fff")),
            (json!("0x7fff"), None),
            (json!("0x1"), None),
            (json!(0), None),
            (json!(32768), None),
            (json!(-1), None),
            (json!(1.5), None),
            (json!(""), None),
            (json!("0Xfffff"), None),
            (json!(true), None),
        ];
        for (value, expected) in table {
            assert_eq!(canonical(&value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn the_warning_says_how_the_number_was_read() {
        let mut spec = json!({ "ibsriov": { "pkey": 1000 } });
        let mut notices = Vec::new();
        normalise(&mut spec, &mut notices);
        assert_eq!(spec, json!({ "ibsriov": { "pkey": "0x03E8" } }));
        let message =
            "1000 is a deprecated spelling of \"0x03E8\"; if hexadecimal was meant, write \"0x1000\"";
        assert_eq!(notices, [Notice::mended("spec.ibsriov.pkey", message)]);
    }

    #[test]
    fn keys_outside_the_range_are_refused() {
        let text = |text: &str| problem(&IntOrString::String(text.to_owned()));
        for good in ["", "0x1", "0x0001", "0x7fff", "0x7FFF"] {
            assert_eq!(text(good), None, "{good}");
        }
        for bad in ["0x", "0x0", "0x8000", "0x10000", "7fff", "x", "0x+1", "-1", "0xfffffffffffffffffff"] {
            assert!(text(bad).is_some(), "{bad}");
        }
        assert!(text("0xffff").is_some_and(|problem| problem.contains("membership bit")));
        assert!(problem(&IntOrString::Int(1)).is_some());
    }
}

//! Quantities of device resources: whole numbers, as the API server accepts them for extended resources.

/// Reads a quantity such as `1`, `"2"`, `2k` or `1e1`; none when it is not a whole number of devices.
pub(super) fn parse(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let factor = match &text[digits..] {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        exponent => 10_u64.checked_pow(exponent.strip_prefix(['e', 'E'])?.parse().ok()?)?,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn whole_numbers_in_every_notation() {
        for (text, value) in
            [("0", 0), ("1", 1), ("12", 12), ("2k", 2_000), ("1Ki", 1024), ("1e1", 10), ("3E0", 3)]
        {
            assert_eq!(parse(text), Some(value), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "-1", "1.5", "500m", "x", "1e", "1e99", "99999999999999999999", "1kk"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

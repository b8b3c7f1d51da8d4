//! Bytes of netlink messages as tests write them.

use std::fmt::Write as _;

/// Groups of four bytes; numbers show in the order of a little-endian machine.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        let gap = if index > 0 && index % 4 == 0 { " " } else { "" };
        write!(text, "{gap}{byte:02x}").unwrap();
    }
    text
}

/// The bytes of a text of hexadecimal digits; spaces do not count.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

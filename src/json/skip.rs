//! Finding where a value ends, without reading it: many bytes at a time, with few branches to mispredict.

use wide::{u8x16, u8x64};

/// The index of the first byte from `at` on that is special inside a string: its end, a backslash, or a control
/// character. None when the text ends before.
#[inline]
pub(super) fn special(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = text.get(at..)?.first_chunk() {
        let bytes = u8x16::new(*chunk);
        let found = bytes.simd_eq(b'"') | bytes.simd_eq(b'\\') | bytes.simd_le(0x1f);
        match found.to_bitmask() {
            0 => at += 16,
            mask => return Some(at + mask.trailing_zeros() as usize),
        }
    }
    let rest = text.get(at..)?.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
    rest.map(|offset| at + offset)
}

/// The index after a string whose inside begins at `at`, whatever it holds; none when it does not end.
#[inline]
pub(super) fn string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = special(text, at)?;
        match text[at] {
            b'"' => return Some(at + 1),
            // The escaped character may be a quote or a backslash itself.
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The index after the object or list that begins at `at`.
///
/// Brackets must match and strings must end; nothing else is looked at. None also when more than 126 brackets are
/// open at a time.
pub(super) fn brackets(text: &[u8], mut at: usize) -> Option<usize> {
    let mut open = Open(1);
    let mut strings = Strings::default();
    loop {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let block = rest.first_chunk().copied().unwrap_or_else(|| {
            let mut last = [0; 64];
            last[..rest.len()].copy_from_slice(rest);
            last
        });
        let bytes = u8x64::new(block);
        // One bit distinguishes `[` from `{` and `]` from `}`.
        let folded = bytes | u8x64::splat(0x20);
        let brackets = (folded.simd_eq(b'{') | folded.simd_eq(b'}')).to_bitmask();
        let backslashes = bytes.simd_eq(b'\\').to_bitmask();
        let inside = strings.inside(bytes.simd_eq(b'"').to_bitmask(), backslashes);
        for offset in ones(brackets & !inside) {
            if open.closed_by(block[offset])? {
                return Some(at + offset + 1);
            }
        }
        at += 64;
    }
}

/// The index after a number, `true`, `false` or `null` that begins at `at`; none when nothing like it is there.
pub(super) fn word(text: &[u8], at: usize) -> Option<usize> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    let length = text.get(at..)?.iter().take_while(|byte| is_word(byte)).count();
    (length > 0).then_some(at + length)
}

/// The positions of the bits that are set, lowest first.
fn ones(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (mask != 0).then(|| mask.trailing_zeros() as usize);
        mask &= mask.wrapping_sub(1);
        lowest
    })
}

/// Where in a string one block of 64 bytes ends. Masks have a bit for each byte, the first byte's lowest.
#[derive(Default)]
struct Strings {
    /// All ones inside a string.
    inside: u64,
    /// 1 when the next byte follows a backslash.
    escaped: u64,
}

impl Strings {
    /// The bytes of a block that stand in a string.
    #[inline]
    fn inside(&mut self, quotes: u64, backslashes: u64) -> u64 {
        let mut inside = quotes & !self.escaped_by(backslashes);
        // Afterwards each bit is the parity of itself and those below: odd after an opening quote.
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        inside ^= self.inside;
        self.inside = (inside >> 63).wrapping_neg();
        inside
    }

    /// The bytes of a block that a backslash escapes.
    #[inline]
    fn escaped_by(&mut self, mut backslashes: u64) -> u64 {
        let mut escaped = std::mem::take(&mut self.escaped);
        backslashes &= !escaped;
        while backslashes != 0 {
            let next = backslashes & backslashes.wrapping_neg();
            self.escaped = next >> 63;
            escaped |= next << 1;
            // The escaped byte may be a backslash; it escapes nothing.
            backslashes &= !(next | next << 1);
        }
        escaped
    }
}

/// The brackets that are open, innermost lowest: 1 for an object. The highest bit marks where they begin.
struct Open(u128);

impl Open {
    /// Whether this bracket closes the outermost one; none when it does not match or cannot be remembered.
    #[inline]
    fn closed_by(&mut self, bracket: u8) -> Option<bool> {
        let object = u128::from(bracket & 0x20 != 0);
        if bracket | 0x20 == b'{' {
            self.0 = (self.0.leading_zeros() > 0).then_some(self.0 << 1 | object)?;
            return Some(false);
        }
        if self.0 & 1 != object {
            return None;
        }
        self.0 >>= 1;
        Some(self.0 == 1)
    }
}

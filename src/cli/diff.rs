//! The difference of two texts, line by line.

/// One line of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'t> {
    /// In both.
    Same(&'t str),
    /// Only in the first.
    Removed(&'t str),
    /// Only in the second.
    Added(&'t str),
}

/// The shortest difference: lines of the longest common subsequence are the same, all others came or went.
/// Quadratic, for texts of a screen or two.
#[must_use]
pub(super) fn lines<'t>(before: &'t str, after: &'t str) -> Vec<Line<'t>> {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let width = after.len() + 1;
    // common[a * width + b]: length of the longest common subsequence of before[a..] and after[b..].
    let mut common = vec![0_u32; (before.len() + 1) * width];
    for a in (0..before.len()).rev() {
        for b in (0..after.len()).rev() {
            common[a * width + b] = if before[a] == after[b] {
                common[(a + 1) * width + b + 1] + 1
            } else {
                common[(a + 1) * width + b].max(common[a * width + b + 1])
            };
        }
    }
    let (mut a, mut b, mut out) = (0, 0, Vec::with_capacity(width));
    while a < before.len() || b < after.len() {
        if a < before.len() && b < after.len() && before[a] == after[b] {
            out.push(Line::Same(before[a]));
            (a, b) = (a + 1, b + 1);
        } else if b == after.len()
            || (a < before.len() && common[(a + 1) * width + b] >= common[a * width + b + 1])
        {
            out.push(Line::Removed(before[a]));
            a += 1;
        } else {
            out.push(Line::Added(after[b]));
            b += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Line::{Added, Removed, Same};
    use super::*;

    #[test]
    fn lines_that_stay_come_and_go() {
        assert_eq!(
            lines("a\nb\nc\n", "a\nx\nc\nd\n"),
            [Same("a"), Removed("b"), Added("x"), Same("c"), Added("d")]
        );
        assert_eq!(lines("", "a"), [Added("a")]);
        assert_eq!(lines("a", ""), [Removed("a")]);
        assert_eq!(lines("", ""), []);
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_from_the_difference(before in "([abc]\n){0,12}", after in "([abc]\n){0,12}") {
            let difference = lines(&before, &after);
            let first = difference.iter().filter_map(|line| match line {
                Same(text) | Removed(text) => Some(*text),
                Added(_) => None,
            });
            prop_assert!(first.eq(before.lines()));
            let second = difference.iter().filter_map(|line| match line {
                Same(text) | Added(text) => Some(*text),
                Removed(_) => None,
            });
            prop_assert!(second.eq(after.lines()));
        }
    }
}

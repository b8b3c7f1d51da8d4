/// A pattern for object names with the meaning of Go's `filepath.Match`: `*` is any run, `?` any one
/// character, `[a-c]` one of a class, `[^a-c]` one outside of it, `\` takes the next character literally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Run,
    Any,
    Literal(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Wildcard {
    /// Whether the text is more than a plain name.
    #[must_use]
    pub fn is_pattern(text: &str) -> bool {
        text.contains(['*', '?', '[', '\\'])
    }

    /// None for a malformed pattern: a class that is empty or not closed, a `\` at the end.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = text.chars();
        while let Some(next) = rest.next() {
            tokens.push(match next {
                '*' => Token::Run,
                '?' => Token::Any,
                '\\' => Token::Literal(rest.next()?),
                '[' => class(&mut rest)?,
                literal => Token::Literal(literal),
            });
        }
        Some(Self { tokens })
    }

    /// Whether the whole name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (mut tokens, mut rest) = (self.tokens.as_slice(), name);
        // Where to go on when what follows the last `*` does not fit: that `*` takes one character more.
        let mut retry: Option<(&[Token], &str)> = None;
        loop {
            let (token, mut behind) = (tokens.split_first(), rest.chars());
            match (token, behind.next()) {
                (None, None) | (Some((Token::Run, [])), _) => return true,
                (Some((Token::Run, after)), _) => {
                    (tokens, retry) = (after, Some((after, rest)));
                }
                (Some((one, after)), Some(next)) if one.fits(next) => {
                    (tokens, rest) = (after, behind.as_str());
                }
                _ => {
                    let Some((after, from)) = retry else { return false };
                    let mut shorter = from.chars();
                    if shorter.next().is_none() {
                        return false;
                    }
                    (tokens, rest) = (after, shorter.as_str());
                    retry = Some((tokens, rest));
                }
            }
        }
    }
}

impl Token {
    fn fits(&self, next: char) -> bool {
        match self {
            Self::Run => false,
            Self::Any => true,
            Self::Literal(literal) => *literal == next,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(first, last)| (first..=last).contains(&&next)) != *negated
            }
        }
    }
}

/// What follows a `[`, up to and with the `]`.
fn class(rest: &mut std::str::Chars<'_>) -> Option<Token> {
    let negated = rest.as_str().starts_with('^');
    if negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && rest.as_str().starts_with(']') {
            rest.next();
            return Some(Token::Class { negated, ranges });
        }
        let first = class_member(rest)?;
        let last = if rest.as_str().starts_with('-') {
            rest.next();
            class_member(rest)?
        } else {
            first
        };
        ranges.push((first, last));
    }
}

fn class_member(rest: &mut std::str::Chars<'_>) -> Option<char> {
    match rest.next()? {
        '\\' => rest.next(),
        '-' | ']' => None,
        member => Some(member),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn means_what_go_means() {
        // The cases of Go's path/filepath tests that can occur in names of objects.
        for (pattern, name, expected) in [
            ("abc", "abc", Some(true)),
            ("*", "abc", Some(true)),
            ("*c", "abc", Some(true)),
            ("a*", "a", Some(true)),
            ("a*", "abc", Some(true)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Some(true)),
            ("a*b?c*x", "abxbbxdbxebxczzy", Some(false)),
            ("ab[c]", "abc", Some(true)),
            ("ab[b-d]", "abc", Some(true)),
            ("ab[e-g]", "abc", Some(false)),
            ("ab[^c]", "abc", Some(false)),
            ("ab[^e-g]", "abc", Some(true)),
            ("a\\*b", "a*b", Some(true)),
            ("a\\*b", "ab", Some(false)),
            ("a?b", "a☺b", Some(true)),
            ("a???b", "a☺b", Some(false)),
            ("[a-ζ]*", "α", Some(true)),
            ("[\\]a]", "]", Some(true)),
            ("[x\\-]", "-", Some(true)),
            ("[]a]", "]", None),
            ("[-]", "-", None),
            ("[x-]", "x", None),
            ("[-x]", "x", None),
            ("[a-b-c]", "a", None),
            ("[", "a", None),
            ("[^", "a", None),
            ("[^bc", "a", None),
            ("a[", "ab", None),
            ("a\\", "a", None),
            ("gpu?-net11", "gpu1-net11", Some(true)),
            ("gpu[1-8]-net11", "gpu9-net11", Some(false)),
            ("", "", Some(true)),
            ("", "a", Some(false)),
        ] {
            let matched = Wildcard::parse(pattern).map(|wildcard| wildcard.matches(name));
            assert_eq!(matched, expected, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_and_a_star(name in "[a-z0-9.-]{0,20}", other in "[a-z0-9.-]{0,20}") {
            let matches = |pattern: &str| Wildcard::parse(pattern).unwrap().matches(&other);
            prop_assert_eq!(matches(&name), name == other);
            prop_assert!(matches("*"));
            prop_assert_eq!(matches(&format!("{name}*")), other.starts_with(&name));
            prop_assert_eq!(matches(&format!("*{name}")), other.ends_with(&name));
            prop_assert_eq!(matches(&format!("*{name}*")), other.contains(&name));
        }
    }
}

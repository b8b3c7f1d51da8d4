use globset::{GlobBuilder, GlobMatcher};

/// No namespace name is longer than 63 characters; a pattern may be somewhat more.
const LONGEST: usize = 253;

/// A namespace name or a glob of `*` and `?`.
#[derive(Clone, Debug)]
pub struct Glob {
    text: String,
    matcher: GlobMatcher,
}

impl Glob {
    /// Parses a namespace name or glob; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '*' | '?');
        if text.is_empty() || text.len() > LONGEST || !text.chars().all(legal) {
            return Err(
                "use a namespace name, or a pattern of lower-case letters, digits, '-', '*' and '?'".into()
            );
        }
        let glob = GlobBuilder::new(text).build().map_err(|error| error.to_string())?;
        Ok(Self { text: text.to_owned(), matcher: glob.compile_matcher() })
    }

    /// Whether the namespace is meant.
    #[must_use]
    pub fn matches(&self, namespace: &str) -> bool {
        self.matcher.is_match(namespace)
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same set as an anchored RE2 expression, for CEL in the API server.
    #[must_use]
    pub fn regex(&self) -> String {
        let body: String = self
            .text
            .chars()
            .map(|c| match c {
                '*' => ".*".to_owned(),
                '?' => ".".to_owned(),
                other => other.to_string(),
            })
            .collect();
        format!("^{body}$")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_and_their_regular_expressions_agree() {
        let glob = Glob::parse("team-*-gpu?").unwrap();
        assert!(glob.matches("team-a-gpu1"));
        assert!(!glob.matches("team-a-gpu"));
        assert!(!glob.matches("xteam-a-gpu1"));
        assert_eq!(glob.regex(), "^team-.*-gpu.$");
        assert!(Glob::parse("Team").is_err());
        assert!(Glob::parse("").is_err());
        assert!(Glob::parse("a[bc]").is_err());
    }
}

use serde_json::Value;

use super::lines::Lines;
use super::parse::{ReadError, parse};

/// One document of a stream.
#[derive(Debug)]
pub struct Document<'t> {
    /// Its text without the separator, so that a document nobody changed can be passed on as it was.
    pub text: &'t str,
    /// What stands in it, or why it cannot be read; a broken document does not break its neighbours.
    pub content: Result<Content, ReadError>,
}

/// What stands in a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// The value, fields in source order.
    pub value: Value,
    /// Where each field stands in the whole stream.
    pub lines: Lines,
    /// Whether there are comments, which a rewritten document does not have.
    pub commented: bool,
}

/// Splits a stream into its documents and reads each; empty ones are left out.
///
/// A line that begins with `---` separates documents wherever it stands: YAML allows none inside a scalar
/// (specification 1.2.2, section 9.1.2), so this needs no parser and finds the documents after a broken one.
#[must_use]
pub fn documents(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    let (mut start, mut first_line) = (0, 1);
    let mut offset = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if is_separator(line) {
            found.extend(document(&text[start..offset], first_line));
            (start, first_line) = (offset + "---".len(), number);
        }
        offset += line.len();
    }
    found.extend(document(&text[start..], first_line));
    found
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn document(text: &str, first_line: u32) -> Option<Document<'_>> {
    let content = parse(text, first_line).transpose()?;
    Some(Document { text, content })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(text: &str) -> Vec<Value> {
        documents(text).into_iter().map(|document| document.content.unwrap().value).collect()
    }

    #[test]
    fn a_stream_is_split_at_separators_and_empty_documents_are_left_out() {
        let text = "# licence\n---\na: 1\n--- # second\nb: 2\n---\n---\n\nc:\n- 3\n";
        assert_eq!(values(text), [json!({"a": 1}), json!({"b": 2}), json!({"c": [3]})]);
        assert_eq!(values(""), Vec::<Value>::new());
        assert_eq!(values("---\n"), Vec::<Value>::new());
        assert_eq!(values("\u{feff}a: 1\r\n---\r\nb: 2\r\n"), [json!({"a": 1}), json!({"b": 2})]);
    }

    #[test]
    fn three_dashes_that_go_on_are_text() {
        assert_eq!(
            values("a: |\n  ---x\n  b\n---\nb: ---x\n"),
            [json!({"a": "---x\nb\n"}), json!({"b": "---x"})]
        );
    }

    #[test]
    fn a_broken_document_leaves_the_others_readable_and_lines_count_through_the_stream() {
        let text = "a: 1\n---\nb: [1\nc: 2\n---\nd:\n  e: 1\n";
        let read = documents(text);
        assert_eq!(read.len(), 3);
        let broken = read[1].content.as_ref().unwrap_err();
        assert!((3..=4).contains(&broken.line), "{broken:?}");
        let last = read[2].content.as_ref().unwrap();
        assert_eq!(last.value, json!({"d": {"e": 1}}));
        assert_eq!(last.lines.line_of("d.e"), 7);
        assert_eq!(read[2].text, "\nd:\n  e: 1\n");
    }

    #[test]
    fn json_is_read_too_with_tabs_and_all() {
        let text = "{\n\t\"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"a\\u00e9\\/b\"},\n\t\"n\": [1, 2.5, -3e2, true, null]\n}\n";
        let read = documents(text);
        let content = read[0].content.as_ref().unwrap();
        assert_eq!(
            content.value,
            json!({"kind": "Pod", "metadata": {"name": "a\u{e9}/b"}, "n": [1, 2.5, -300.0, true, null]})
        );
        assert_eq!(content.lines.line_of("metadata.name"), 3);
        assert_eq!(content.lines.line_of("n[3]"), 4);
    }
}

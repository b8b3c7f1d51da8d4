use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::document::Content;
use super::lines::Lines;
use super::scalar;

/// Deeper documents are refused; `serde_json` reads no deeper either.
const DEEPEST: usize = 120;
/// How many values aliases may add to a document: enough for any manifest, too few for a "billion laughs".
const ALIASED: usize = 100_000;

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ReadError {
    /// Line in the stream, counted from 1.
    pub line: u32,
    /// For people.
    pub reason: String,
}

/// Reads one document; none when there is nothing but blanks and comments. `first_line` is the line on which
/// `text` begins.
pub fn parse(text: &str, first_line: u32) -> Result<Option<Content>, ReadError> {
    let mut reader = Reader::new(text, first_line);
    let Some(node) = reader.document()? else { return Ok(None) };
    Ok(Some(Content { value: node.value, lines: node.lines, commented: reader.commented }))
}

#[derive(Clone)]
struct Node {
    value: Value,
    lines: Lines,
    /// How many values stand in it, itself included.
    size: usize,
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    first_line: u32,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    commented: bool,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, first_line: u32) -> Self {
        Self {
            events: Parser::new_from_str(text),
            first_line,
            anchors: HashMap::new(),
            aliased: 0,
            commented: false,
        }
    }

    fn document(&mut self) -> Result<Option<Node>, ReadError> {
        let mut node = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(node),
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
                (_, span) if node.is_some() => {
                    return Err(self.error(span.start, "a second document begins without a line `---`"));
                }
                (event, span) => node = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), ReadError> {
        loop {
            match self.events.next_event() {
                Some(Ok((Event::Comment(..), _))) => self.commented = true,
                Some(Ok(next)) => return Ok(next),
                Some(Err(error)) => return Err(self.scan_error(&error)),
                None => return Ok((Event::StreamEnd, Span::default())),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, ReadError> {
        if depth > DEEPEST {
            return Err(self.error(span.start, &format!("values are nested deeper than {DEEPEST} levels")));
        }
        let line = self.line(span.start);
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar_value(&text, style, tag.as_deref());
                let value = value.map_err(|reason| ReadError { line, reason })?;
                (anchor, Node { value, lines: Lines::scalar(line), size: 1 })
            }
            Event::SequenceStart(_, anchor, _) => (anchor, self.list(line, depth)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.object(line, depth)?),
            Event::Alias(id) => return self.alias(id, span.start),
            other => return Err(self.error(span.start, &format!("a value was expected, not {other:?}"))),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, start: Marker) -> Result<Node, ReadError> {
        // An alias inside its own anchor is not known yet, which keeps values finite.
        let Some(node) = self.anchors.get(&id).cloned() else {
            return Err(self.error(start, "an alias stands inside the value that it names"));
        };
        self.aliased += node.size;
        if self.aliased > ALIASED {
            return Err(self.error(start, &format!("aliases expand to more than {ALIASED} values")));
        }
        Ok(node)
    }

    fn list(&mut self, line: u32, depth: usize) -> Result<Node, ReadError> {
        let (mut items, mut lines, mut size) = (Vec::new(), Vec::new(), 1);
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => break,
                (event, span) => {
                    let item = self.node(event, span, depth + 1)?;
                    items.push(item.value);
                    lines.push(item.lines);
                    size += item.size;
                }
            }
        }
        Ok(Node { value: Value::Array(items), lines: Lines::list(line, lines), size })
    }

    fn object(&mut self, line: u32, depth: usize) -> Result<Node, ReadError> {
        let (mut fields, mut lines, mut size) = (Map::new(), Vec::new(), 1);
        let mut merged = Vec::new();
        loop {
            let (key_event, key_span) = match self.next()? {
                (Event::MappingEnd, _) => break,
                next => next,
            };
            let key_line = self.line(key_span.start);
            let merge =
                matches!(&key_event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.key(key_event, key_span)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            size += node.size;
            if merge {
                merged.push((key_line, node));
            } else if fields.contains_key(&key) {
                return Err(ReadError { line: key_line, reason: format!("the key {key:?} stands twice") });
            } else {
                fields.insert(key.clone(), node.value);
                lines.push((key, node.lines.at(key_line)));
            }
        }
        for (line, node) in merged {
            merge(&mut fields, &mut lines, node).map_err(|reason| ReadError { line, reason })?;
        }
        Ok(Node { value: Value::Object(fields), lines: Lines::object(line, lines), size })
    }

    /// A key as JSON has it: numbers and booleans become their text.
    fn key(&mut self, event: Event<'t>, span: Span) -> Result<String, ReadError> {
        let start = span.start;
        match self.node(event, span, 0)?.value {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(value) => Ok(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                Err(self.error(start, "a key must be a string, a number or a boolean"))
            }
        }
    }

    fn line(&self, at: Marker) -> u32 {
        let line = u32::try_from(at.line()).unwrap_or(u32::MAX);
        self.first_line.saturating_add(line.saturating_sub(1))
    }

    fn error(&self, at: Marker, reason: &str) -> ReadError {
        ReadError { line: self.line(at), reason: reason.to_owned() }
    }

    fn scan_error(&self, error: &ScanError) -> ReadError {
        self.error(*error.marker(), &error.info())
    }
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let string = || Value::String(text.to_owned());
    let resolved = match tag.map(|tag| tag.core_suffix().unwrap_or("?")) {
        Some("str") => return Ok(string()),
        // A tag asks for a type even of quoted text.
        Some("bool" | "int" | "float" | "null") => scalar::resolve(text)?,
        Some(_) => return Err(format!("the tag of {text:?} is not known to JSON")),
        None if style == ScalarStyle::Plain => scalar::resolve(text)?,
        None => return Ok(string()),
    };
    Ok(resolved)
}

/// `<<: *base` or `<<: [*a, *b]`: fields that the object does not have itself; the first one wins.
fn merge(
    fields: &mut Map<String, Value>,
    lines: &mut Vec<(String, Lines)>,
    node: Node,
) -> Result<(), String> {
    let sources: Vec<(Value, Lines)> = match node.value {
        Value::Object(_) => vec![(node.value, node.lines)],
        Value::Array(items) => {
            let inside = |index: usize| node.lines.get(&format!("[{index}]")).cloned();
            let with_lines = |(index, item)| Some((item, inside(index)?));
            items.into_iter().enumerate().filter_map(with_lines).collect()
        }
        _ => return Err("`<<` merges objects only".to_owned()),
    };
    let mut known: HashSet<String> = fields.keys().cloned().collect();
    for (value, source_lines) in sources {
        let Value::Object(source) = value else { return Err("`<<` merges objects only".to_owned()) };
        for ((key, value), (_, line)) in source.into_iter().zip(source_lines.into_fields()) {
            if known.insert(key.clone()) {
                fields.insert(key.clone(), value);
                lines.push((key, line));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        parse(text, 1).unwrap().unwrap().value
    }

    fn error(text: &str) -> ReadError {
        parse(text, 1).unwrap_err()
    }

    #[test]
    fn quotes_and_tags_decide_the_type() {
        assert_eq!(
            value("a: yes\nb: 'yes'\nc: \"1\"\nd: !!str 1\ne: !!int '7'\nf: |-\n  010\n"),
            json!({"a": true, "b": "yes", "c": "1", "d": "1", "e": 7, "f": "010"})
        );
        assert_eq!(value("1: a\ntrue: b\n"), json!({"1": "a", "true": "b"}));
    }

    #[test]
    fn aliases_and_merge_keys_are_expanded() {
        let text = "base: &base {a: 1, b: 2}\nx:\n  <<: *base\n  b: 3\nw: *base\nz:\n  <<: [{c: 1}, *base, {c: 2}]\n";
        assert_eq!(
            value(text),
            json!({
                "base": {"a": 1, "b": 2}, "x": {"b": 3, "a": 1}, "w": {"a": 1, "b": 2},
                "z": {"c": 1, "a": 1, "b": 2}
            })
        );
        assert_eq!(value("a: '<<'\n'<<': 1\n"), json!({"a": "<<", "<<": 1}));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_line() {
        let twice = error("a: 1\nb: 2\na: 3\n");
        assert_eq!((twice.line, twice.reason.as_str()), (3, "the key \"a\" stands twice"));
        assert_eq!(error("a: 1\n...\nb: 2\n").line, 3);
        assert_eq!(error("a: 1\nb: [*none]\n").line, 2);
        assert_eq!(error("a:\n  b: 1\n c: 2\n").line, 3);
        assert_eq!(error("a: .inf\n").line, 1);
        assert_eq!(error("a: 1\n<<: 3\n").reason, "`<<` merges objects only");
        assert_eq!(error("a: &a [*a]\n").reason, "an alias stands inside the value that it names");
    }

    #[test]
    fn documents_that_would_exhaust_memory_or_stack_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let alias = format!("*a{}", level - 1);
            let line = format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", "));
            bomb.push_str(&line);
        }
        assert!(error(&bomb).reason.contains("aliases expand"), "{}", error(&bomb));
        assert!(parse(&"[".repeat(10_000), 1).is_err());
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert!(parse(&deep, 1).is_err());
    }

    #[test]
    fn nothing_but_comments_is_no_document() {
        assert_eq!(parse("# only\n\n  # comments\n", 1), Ok(None));
        assert!(parse("a: 1 # why\n", 1).unwrap().unwrap().commented);
        assert!(!parse("a: '#1'\n", 1).unwrap().unwrap().commented);
    }
}

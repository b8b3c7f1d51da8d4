use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use serde_saphyr::SingleQuoted;

/// The value cannot be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("failed to write YAML")]
pub struct WriteError(#[source] serde_saphyr::ser_error::Error);

/// Writes a value as block style YAML that reads back as the same value, whichever YAML version the reader
/// speaks: text that would be taken for a boolean, number, null or date is quoted.
pub fn write(value: &Value) -> Result<String, WriteError> {
    let options = serde_saphyr::ser_options! {
        // Longer lines are never folded: commands and JSON in annotations stay on one line.
        folded_wrap_chars: usize::MAX,
    };
    let mut text = serde_saphyr::to_string_with_options(&Readable(value), options).map_err(WriteError)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// A value whose JSON texts, as in annotations, come out in single quotes: readable, without backslashes.
struct Readable<'v>(&'v Value);

impl Serialize for Readable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if text.contains('"') && !text.contains(needs_escape) => {
                SingleQuoted(text).serialize(serializer)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Readable)),
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, &Readable(value))?;
                }
                map.end()
            }
            other => other.serialize(serializer),
        }
    }
}

/// Characters that single quotes cannot hold, or not readably.
fn needs_escape(c: char) -> bool {
    c == '\'' || !(c == ' ' || c.is_alphanumeric() || c.is_ascii_punctuation())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::yaml::documents;

    fn read(text: &str) -> Vec<Value> {
        documents(text).into_iter().map(|document| document.content.unwrap().value).collect()
    }

    #[test]
    fn manifests_are_written_as_people_write_them() {
        let value = json!({
            "apiVersion": "v1",
            "metadata": {
                "name": "a",
                "annotations": {
                    "on": "yes", "port": "0x1000", "float": "1e3", "n": "1", "empty": "", "none": "null",
                    "networks": "[{\"name\":\"gpu1-sriov\",\"namespace\":\"spiderpool\"},{\"name\":\"gpu2-sriov\",\"namespace\":\"spiderpool\"}]"
                }
            },
            "spec": {
                "containers": [{"name": "c", "args": ["-c", "echo a\necho b"], "n": 1, "f": 1.5, "t": true}],
                "none": null, "list": [], "map": {}
            }
        });
        let text = "\
apiVersion: v1
metadata:
  name: a
  annotations:
    \"on\": \"yes\"
    port: \"0x1000\"
    float: \"1e3\"
    \"n\": \"1\"
    empty: \"\"
    none: \"null\"
    networks: '[{\"name\":\"gpu1-sriov\",\"namespace\":\"spiderpool\"},{\"name\":\"gpu2-sriov\",\"namespace\":\"spiderpool\"}]'
spec:
  containers:
  - name: c
    args:
    - -c
    - |-
      echo a
      echo b
    \"n\": 1
    f: 1.5
    t: true
  none: null
  list: []
  map: {}
";
        assert_eq!(write(&value).unwrap(), text);
        assert_eq!(read(text), [value]);
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            proptest::sample::select(vec![
                "yes",
                "no",
                "y",
                "on",
                "~",
                "null",
                "1",
                "-1",
                "0x10",
                "0o7",
                "010",
                "1_0",
                "1e3",
                "1:30",
                "2001-12-14",
                ".5",
                ".inf",
                "- a",
                "a: b",
                "a #b",
                "#",
                "---",
                "--- a",
                "...",
                "<<",
                "*a",
                "&a",
                "!a",
                "|",
                ">",
                "%",
                "@",
                "`",
                "a\n",
                "a\n\n",
                "\na",
                " a",
                "a ",
                "a\tb",
                "\t",
                "\r\n",
                "a\r",
                "a\n b\n",
                " a\nb",
                "\u{85}",
                "\u{2028}",
                "\u{feff}",
                "\u{0}",
                "\u{7f}",
                "é",
                "=",
                "?",
                "? a",
                "a:",
                ":",
                ",",
                "[",
                "{",
                "'",
                "\"",
                "\\",
                "a\\n",
                "0000:86:00.0",
            ])
            .prop_map(str::to_owned),
            "[ -~\n\t]{0,40}",
            "\\PC{0,20}",
            any::<String>(),
        ]
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1.0e12..1.0e12f64).prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((text(), inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_back_the_same(value in values()) {
            let text = write(&value).unwrap();
            // A document that is nothing but `null` is an empty one.
            if !value.is_null() {
                let back = documents(&text);
                prop_assert_eq!(back.len(), 1, "{}", text);
                let back = back[0].content.as_ref().map(|content| &content.value);
                prop_assert_eq!(back, Ok(&value), "{}", text);
            }
        }

        #[test]
        fn reading_never_panics(text in "[ -~\n\t]{0,200}") {
            let _ = documents(&text);
        }
    }
}

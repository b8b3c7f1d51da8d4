//! The pod's own list of networks: Multus accepts a JSON list and a comma-separated short form.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::catalog::Member;

/// One network a pod names.
#[derive(Clone, Debug)]
pub(super) struct Selected<'a> {
    /// Namespace, the pod's own when it names none.
    pub namespace: Cow<'a, str>,
    /// Name of the `NetworkAttachmentDefinition`.
    pub name: Cow<'a, str>,
    /// The entry as JSON.
    pub json: Cow<'a, str>,
    /// Whether it names the network and nothing else (no interface, address, MAC, ...).
    pub plain: bool,
}

impl Selected<'_> {
    pub(super) fn is(&self, member: &Member) -> bool {
        *self.namespace == *member.namespace && *self.name == *member.nad_name
    }
}

#[derive(Deserialize)]
struct Entry<'a> {
    name: Cow<'a, str>,
    #[serde(default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// Reads the annotation; the error says what is wrong with it. An empty list is fine.
pub(super) fn parse<'a>(annotation: &'a str, pod_namespace: &'a str) -> Result<Vec<Selected<'a>>, String> {
    let text = annotation.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.contains(['[', '{', '"']) {
        return parse_json(text, pod_namespace);
    }
    text.split(',').map(|item| parse_short(item.trim(), pod_namespace)).collect()
}

fn parse_json<'a>(text: &'a str, pod_namespace: &'a str) -> Result<Vec<Selected<'a>>, String> {
    let entries: Vec<&'a RawValue> =
        serde_json::from_str(text).map_err(|error| format!("not a JSON list: {error}"))?;
    let read = |(index, raw): (usize, &'a RawValue)| {
        let entry: Entry<'a> =
            serde_json::from_str(raw.get()).map_err(|error| format!("entry {index}: {error}"))?;
        let namespace = entry.namespace.filter(|namespace| !namespace.is_empty());
        Ok(Selected {
            namespace: namespace.unwrap_or(Cow::Borrowed(pod_namespace)),
            name: entry.name,
            json: Cow::Borrowed(raw.get()),
            plain: entry.rest.is_empty(),
        })
    };
    entries.into_iter().enumerate().map(read).collect()
}

/// `[namespace/]name[@interface]`
fn parse_short<'a>(item: &'a str, pod_namespace: &'a str) -> Result<Selected<'a>, String> {
    let (network, interface) = match item.split_once('@') {
        Some((network, interface)) => (network, Some(interface)),
        None => (item, None),
    };
    let (namespace, name) = network.split_once('/').unwrap_or((pod_namespace, network));
    let legal = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
    };
    if !legal(namespace) || !legal(name) || interface.is_some_and(str::is_empty) {
        return Err(format!("{item:?} is not [namespace/]name[@interface]"));
    }
    let mut json = entry_json(namespace, name);
    if let Some(interface) = interface {
        json.pop();
        json.push_str(",\"interface\":");
        json.push_str(&quoted(interface));
        json.push('}');
    }
    Ok(Selected {
        namespace: namespace.into(),
        name: name.into(),
        json: json.into(),
        plain: interface.is_none(),
    })
}

/// `{"name":"..","namespace":".."}`; object names need no escapes.
fn entry_json(namespace: &str, name: &str) -> String {
    format!("{{\"name\":\"{name}\",\"namespace\":\"{namespace}\"}}")
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The annotation's value: the pod's own entries first, then the members that it does not name already.
pub(super) fn render(own: &[Selected<'_>], members: &[&Member]) -> (String, usize) {
    let mut text = String::with_capacity(64 * (own.len() + members.len()) + 2);
    let mut count = 0;
    let mut push = |parts: [&str; 5]| {
        text.push(if count == 0 { '[' } else { ',' });
        for part in parts {
            text.push_str(part);
        }
        count += 1;
    };
    for entry in own {
        push([&entry.json, "", "", "", ""]);
    }
    for member in members.iter().filter(|member| !own.iter().any(|entry| entry.is(member))) {
        push(["{\"name\":\"", &member.nad_name, "\",\"namespace\":\"", &member.namespace, "\"}"]);
    }
    text.push(']');
    (text, count)
}

/// Whether the pod's list names exactly the members and nothing more, in whatever order and notation.
pub(super) fn same_set(own: &[Selected<'_>], members: &[&Member]) -> bool {
    own.len() == members.len()
        && own.iter().all(|entry| entry.plain)
        && members.iter().all(|member| own.iter().any(|entry| entry.is(member)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(annotation: &str) -> Result<Vec<String>, String> {
        Ok(parse(annotation, "team")?.iter().map(|s| format!("{}/{}", s.namespace, s.name)).collect())
    }

    #[test]
    fn both_notations_are_read() {
        assert_eq!(names("a, kube-system/b ,c@net5").unwrap(), ["team/a", "kube-system/b", "team/c"]);
        assert_eq!(
            names(r#"[{"name":"a"},{"name":"b","namespace":"x","ips":["10.0.0.1/24"]}]"#).unwrap(),
            ["team/a", "x/b"]
        );
        assert_eq!(names("  ").unwrap(), Vec::<String>::new());
        assert_eq!(names("[]").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(names("[{\"name\":1}]").unwrap_err().starts_with("entry 0: "));
        assert!(names("{\"name\":\"a\"}").unwrap_err().starts_with("not a JSON list: "));
        assert_eq!(names("a,,b").unwrap_err(), "\"\" is not [namespace/]name[@interface]");
        assert_eq!(names("a/b/c").unwrap_err(), "\"a/b/c\" is not [namespace/]name[@interface]");
    }

    #[test]
    fn entries_keep_everything_the_user_wrote() {
        let own = parse(r#"[ {"name":"a", "mac":"02:00:00:00:00:01"} ]"#, "team").unwrap();
        assert_eq!(render(&own, &[]), (r#"[{"name":"a", "mac":"02:00:00:00:00:01"}]"#.to_owned(), 1));
        let own = parse("a@net5", "team").unwrap();
        assert_eq!(render(&own, &[]).0, r#"[{"name":"a","namespace":"team","interface":"net5"}]"#);
    }
}

//! Lists of networks in annotations: Multus accepts a JSON list and a comma-separated short form.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// One network a pod names.
#[derive(Clone, Debug)]
pub struct Selected<'a> {
    /// Namespace, the pod's own when it names none.
    pub namespace: Cow<'a, str>,
    /// Name of the `NetworkAttachmentDefinition`.
    pub name: Cow<'a, str>,
    /// Name of the interface, if the pod asks for one; `net1`, `net2`, ... by place in the list otherwise.
    pub interface: Option<Cow<'a, str>>,
    /// The entry as JSON.
    pub json: Cow<'a, str>,
    /// Whether it names the network and nothing else (no interface, address, MAC, ...).
    pub plain: bool,
}

#[derive(Deserialize)]
struct Entry<'a> {
    name: Cow<'a, str>,
    #[serde(default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(default)]
    interface: Option<Cow<'a, str>>,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// Reads an annotation's value; the error says what is wrong with it. An empty list is fine.
pub fn parse<'a>(annotation: &'a str, pod_namespace: &'a str) -> Result<Vec<Selected<'a>>, String> {
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
            plain: entry.rest.is_empty() && entry.interface.is_none(),
            interface: entry.interface.filter(|interface| !interface.is_empty()),
            json: Cow::Borrowed(raw.get()),
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
        interface: interface.map(Cow::Borrowed),
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
    fn an_interface_can_be_asked_for_in_both_notations() {
        let interfaces = |annotation: &str| -> Vec<Option<String>> {
            let selected = parse(annotation, "team").unwrap();
            selected.iter().map(|entry| entry.interface.as_deref().map(str::to_owned)).collect()
        };
        assert_eq!(interfaces("a,b@net5"), [None, Some("net5".into())]);
        assert_eq!(
            interfaces(r#"[{"name":"a","interface":"rail0"},{"name":"b","interface":""},{"name":"c"}]"#),
            [Some("rail0".into()), None, None]
        );
    }
}

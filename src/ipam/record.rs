use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::net::{Address, Family};

/// Who has one address: `{"pod":"ns/name","podUid":"..","interface":"net1","node":"n1","by":"agent"}`.
///
/// Records of other writers have none of the last three. Members that are not known here survive a rewrite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Namespace and name of the pod, or of its `VirtualMachineInstance`.
    pub pod: Arc<str>,
    /// UID of the pod.
    pub pod_uid: Arc<str>,
    /// `net1`, ...
    pub interface: Option<Arc<str>>,
    /// The node that the pod was bound to, which says whether it may still run there when all else is forgotten.
    pub node: Option<Arc<str>>,
    /// Who may take it back if the pod gets nothing in the end.
    pub writer: Writer,
    /// Members of other writers.
    rest: Option<Box<Map<String, Value>>>,
}

/// Who stands in for a record until the pod's endpoint tells it.
///
/// Two may plan the same pod. One that goes on with a record of the other makes it its own, and that write is fenced
/// like any; so what one of them gave up cannot be what the other delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writer {
    /// The leader, or another program.
    #[default]
    Leader,
    /// The agent of the pod's node.
    Agent,
}

impl Record {
    /// A record of our own.
    #[must_use]
    pub fn new(pod: Arc<str>, pod_uid: Arc<str>, interface: Arc<str>) -> Self {
        Self { pod, pod_uid, interface: Some(interface), ..Self::default() }
    }

    /// The same record with the node of its pod; a pod without one is not bound yet.
    #[must_use]
    pub fn on(self, node: &str) -> Self {
        Self { node: (!node.is_empty()).then(|| node.into()), ..self }
    }

    /// The same record in the charge of this writer.
    #[must_use]
    pub fn by(self, writer: Writer) -> Self {
        Self { writer, ..self }
    }

    /// The same record for another pod or interface; what other writers added stays.
    #[must_use]
    pub fn handed_to(&self, pod: Arc<str>, pod_uid: Arc<str>, interface: Arc<str>) -> Self {
        Self { rest: self.rest.clone(), ..Self::new(pod, pod_uid, interface) }
    }

    /// The most bytes that the record takes inside the stored object, where it is text inside a JSON string and
    /// each of its quotes is escaped: 55 bytes, 14 more with a node, 17 with an agent, the address, and the values of its members.
    #[must_use]
    pub fn size(&self, family: Family) -> usize {
        let interface = self.interface.as_ref().map_or(0, |interface| interface.len());
        // A member costs no more than twice its text: only quotes and backslashes are escaped.
        let rest = self.rest.as_ref().map_or(0, |rest| 2 * Value::Object((**rest).clone()).to_string().len());
        let node = self.node.as_ref().map_or(0, |node| NODE_FRAME + node.len());
        let writer = if self.writer == Writer::Agent { BY_AGENT } else { 0 };
        FRAME
            + longest_address(family)
            + self.pod.len()
            + self.pod_uid.len()
            + interface
            + node
            + writer
            + rest
    }
}

/// `\"\":{\"pod\":\"\",\"podUid\":\"\",\"interface\":\"\"},`
const FRAME: usize = 55;

/// `,\"node\":\"\"`
const NODE_FRAME: usize = 14;

/// `,\"by\":\"agent\"`
const BY_AGENT: usize = 17;

/// Value of the member `by`.
const AGENT: &str = "agent";

/// Bytes of the longest address of a family.
fn longest_address(family: Family) -> usize {
    match family {
        Family::V4 => "255.255.255.255".len(),
        Family::V6 => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".len(),
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("pod", &*self.pod)?;
        map.serialize_entry("podUid", &*self.pod_uid)?;
        if let Some(interface) = &self.interface {
            map.serialize_entry("interface", &**interface)?;
        }
        if let Some(node) = &self.node {
            map.serialize_entry("node", &**node)?;
        }
        if self.writer == Writer::Agent {
            map.serialize_entry("by", AGENT)?;
        }
        for (key, value) in self.rest.iter().flat_map(|rest| rest.iter()) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with pod and podUid")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let mut record = Record::default();
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Pod => record.pod = map.next_value::<Text>()?.0,
                Key::PodUid => record.pod_uid = map.next_value::<Text>()?.0,
                Key::Interface => record.interface = map.next_value::<Option<Text>>()?.map(|text| text.0),
                Key::Node => record.node = map.next_value::<Option<Text>>()?.map(|text| text.0),
                Key::By => match map.next_value()? {
                    Value::String(writer) if writer == AGENT => record.writer = Writer::Agent,
                    other => {
                        record.rest.get_or_insert_default().insert("by".to_owned(), other);
                    }
                },
                Key::Other(key) => {
                    record.rest.get_or_insert_default().insert(key, map.next_value()?);
                }
            }
        }
        Ok(record)
    }
}

/// A text that is copied once, into its place.
struct Text(Arc<str>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Copied;
        impl Visitor<'_> for Copied {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.into()))
            }
        }
        deserializer.deserialize_str(Copied)
    }
}

/// Name of a member; only unknown ones are copied.
enum Key {
    Pod,
    PodUid,
    Interface,
    Node,
    By,
    Other(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a member")
            }
            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "pod" => Key::Pod,
                    "podUid" => Key::PodUid,
                    "interface" => Key::Interface,
                    "node" => Key::Node,
                    "by" => Key::By,
                    other => Key::Other(other.to_owned()),
                })
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// An address as the key of a record.
pub(super) struct AddressKey(pub(super) Address);

impl Serialize for AddressKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AddressKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parsed;
        impl Visitor<'_> for Parsed {
            type Value = AddressKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<AddressKey, E> {
                text.parse().map(AddressKey).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Parsed)
    }
}

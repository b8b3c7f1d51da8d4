use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// The part of a pod that decides about injection, borrowed from the request body.
///
/// Fields that are absent or `null` are empty; everything else in the pod is passed over unread.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PodView<'a> {
    /// `metadata`
    #[serde(borrow, default)]
    pub metadata: MetaView<'a>,
    /// `spec`
    #[serde(borrow, default)]
    pub spec: SpecView<'a>,
}

/// `metadata` of a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetaView<'a> {
    /// Absent when the name is generated.
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    /// Absent when the name is given.
    #[serde(borrow, default)]
    pub generate_name: Option<Text<'a>>,
    /// None when the pod has no such map, so that the patch must create it.
    #[serde(borrow, default)]
    pub labels: Option<Pairs<'a>>,
    /// None when the pod has no such map, so that the patch must create it.
    #[serde(borrow, default)]
    pub annotations: Option<Pairs<'a>>,
    /// The first one names the pod's owner in messages.
    #[serde(borrow, default)]
    pub owner_references: Option<Vec<OwnerView<'a>>>,
}

/// One owner of a pod.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct OwnerView<'a> {
    /// `ReplicaSet`, ...
    #[serde(borrow, default)]
    pub kind: Text<'a>,
    /// Its name.
    #[serde(borrow, default)]
    pub name: Text<'a>,
}

/// `spec` of a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpecView<'a> {
    /// `hostNetwork`
    #[serde(default)]
    pub host_network: Option<bool>,
    /// `os.name`
    #[serde(borrow, default)]
    pub os: Option<OsView<'a>>,
    /// `nodeSelector`
    #[serde(borrow, default)]
    pub node_selector: Option<Pairs<'a>>,
    /// Regular containers.
    #[serde(borrow, default)]
    pub containers: Option<Vec<ContainerView<'a>>>,
    /// Init containers, native sidecars among them.
    #[serde(borrow, default)]
    pub init_containers: Option<Vec<ContainerView<'a>>>,
}

/// `spec.os` of a pod.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct OsView<'a> {
    /// `linux` or `windows`.
    #[serde(borrow, default)]
    pub name: Text<'a>,
}

/// A container, init container or sidecar.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerView<'a> {
    /// `name`
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// `Always` makes an init container a native sidecar.
    #[serde(borrow, default)]
    pub restart_policy: Option<Text<'a>>,
    /// None when the patch must create it.
    #[serde(borrow, default)]
    pub resources: Option<ResourcesView<'a>>,
}

/// `resources` of a container.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ResourcesView<'a> {
    /// None when the patch must create it.
    #[serde(borrow, default)]
    pub limits: Option<Pairs<'a>>,
    /// None when the patch must create it.
    #[serde(borrow, default)]
    pub requests: Option<Pairs<'a>>,
}

impl<'a> PodView<'a> {
    /// The value of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key)
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata.labels.as_ref()?.get(key)
    }

    /// Regular containers.
    #[must_use]
    pub fn containers(&self) -> &[ContainerView<'a>] {
        self.spec.containers.as_deref().unwrap_or_default()
    }

    /// Init containers that keep running beside the regular ones.
    pub fn sidecars(&self) -> impl Iterator<Item = &ContainerView<'a>> {
        let init = self.spec.init_containers.as_deref().unwrap_or_default();
        init.iter().filter(|c| c.restart_policy.as_ref().is_some_and(|policy| policy.as_str() == "Always"))
    }

    /// The pod in messages: its name, or what its name is made from and who made it.
    #[must_use]
    pub fn display_name(&self) -> String {
        let text = |value: &Option<Text<'_>>| {
            value.as_ref().map(|v| v.as_str().to_owned()).filter(|v| !v.is_empty())
        };
        if let Some(name) = text(&self.metadata.name) {
            return name;
        }
        let generated =
            text(&self.metadata.generate_name).map_or_else(|| "(unnamed)".into(), |name| format!("{name}*"));
        match self.metadata.owner_references.as_deref().and_then(<[_]>::first) {
            Some(owner) => format!("{generated} of {} {}", owner.kind.as_str(), owner.name.as_str()),
            None => generated,
        }
    }
}

impl ContainerView<'_> {
    /// What the container asks of a resource: its request, which the API server copies from the limit.
    #[must_use]
    pub fn asks(&self, resource: &str) -> Option<&str> {
        let resources = self.resources.as_ref()?;
        let requested = resources.requests.as_ref().and_then(|map| map.get(resource));
        requested.or_else(|| resources.limits.as_ref()?.get(resource))
    }
}

/// Text borrowed from the body when it holds no escape, owned otherwise. Numbers are taken as their text,
/// because quantities may be written either way.
#[derive(Clone, Debug)]
pub struct Text<'a>(Spelling<'a>);

/// How a text stands in the body.
#[derive(Clone, Debug)]
enum Spelling<'a> {
    Plain(&'a str),
    Escaped(String),
    Number(Box<str>),
}

impl Text<'_> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Spelling::Plain(text) => text,
            Spelling::Escaped(text) => text,
            Spelling::Number(text) => text,
        }
    }

    fn number(text: String) -> Self {
        Self(Spelling::Number(text.into()))
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self(Spelling::Plain(""))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Visit<'a> {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Spelling::Plain(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Spelling::Escaped(text.to_owned())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Text<'a>, E> {
                Ok(Text::number(number.to_string()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Text<'a>, E> {
                Ok(Text::number(number.to_string()))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Text<'a>, E> {
                Ok(Text::number(number.to_string()))
            }
            fn visit_unit<E>(self) -> Result<Text<'a>, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Visit(PhantomData))
    }
}

/// A JSON object of texts, in document order. Pods carry 5 to 30 of them, so a search is linear.
#[derive(Clone, Debug, Default)]
pub struct Pairs<'a>(Vec<(Text<'a>, Text<'a>)>);

impl Pairs<'_> {
    /// Keys and values, in document order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether every value stands in the body as a string that says something: not as a number, not as `null`.
    pub(super) fn are_strings(&self) -> bool {
        self.0.iter().all(|(_, value)| !matches!(value.0, Spelling::Number(_)) && !value.as_str().is_empty())
    }

    /// The value of a key; the last one wins, as in the API server.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(k, _)| k.as_str() == key).map(|(_, value)| value.as_str())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Visit<'a> {
            type Value = Pairs<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'a>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    pairs.push(entry);
                }
                Ok(Pairs(pairs))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Pairs<'a>, A::Error> {
                Err(serde::de::Error::custom("a list where an object of strings belongs"))
            }
        }
        deserializer.deserialize_map(Visit(PhantomData))
    }
}

//! What the CRD schemas say beyond the Rust types: limits and CEL rules, attached with `#[schemars(transform = ..)]`.
//!
//! A rule here is about one object alone, so the API server itself can hold it while every webhook is down;
//! [`crate::rules`] says the same with better words, and everything that needs other objects. Three things
//! shape each rule:
//!
//! * **Cost.** The API server estimates each expression from `maxItems` and `maxLength` (10 million units at
//!   most) and stops it at run time after 1 million, so every list and string that a rule walks is bounded.
//!   Real time is the tighter bound: one element of a long list costs it about 0.1 ms of CPU in a rule over the
//!   list, a tenth of that in a rule of the element. Rules over `ips` therefore skip lists that an update
//!   leaves alone (a status write is such an update), and leave long ones to the webhook.
//! * **Ratcheting.** An object stored before the rule existed keeps what it has as long as that value is
//!   not edited; therefore a rule sits on the smallest value it can judge or compares with `oldSelf`, and is
//!   written so that it evaluates: an error (bad index, unparsable address) would refuse even what is not edited.
//! * **Order.** Rules run after the mutating webhook, so they know canonical spellings only and name the
//!   canonical place when a deprecated one gets through.
//!
//! Read [`Rule`] first, then [`addresses`].

#[macro_use]
mod fragments;

pub(super) mod addresses;
pub(super) mod coordinator;
pub(super) mod network;

use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Value, json};

/// Most ranges in one object.
pub(super) const RANGES: u32 = 10_000;
/// Most entries of every other list.
pub(super) const ENTRIES: u32 = 1_000;
/// Most routes, and most elements of a selector.
pub(super) const FEW: u32 = 100;
/// Longest address: eight groups of four digits.
const ADDRESS: u32 = 39;
/// Longest CIDR.
const CIDR: u32 = ADDRESS + 4;
/// Longest range: two addresses and a hyphen.
const RANGE: u32 = 2 * ADDRESS + 1;
/// Longest name that Kubernetes allows.
const NAME: u32 = 253;

/// One entry of `x-kubernetes-validations`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    #[serde(rename = "rule")]
    expression: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field_path: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    optional_old_self: Option<bool>,
}

impl Rule {
    /// A CEL expression that must be true, and what is told when it is not.
    pub(super) const fn new(expression: &'static str, message: &'static str) -> Self {
        Self { expression, message, reason: None, field_path: None, optional_old_self: None }
    }

    /// The field to blame, relative to where the rule stands: `.gateway`.
    pub(super) const fn at(mut self, field_path: &'static str) -> Self {
        self.field_path = Some(field_path);
        self
    }

    /// Reported as a missing value.
    pub(super) const fn required(mut self) -> Self {
        self.reason = Some("FieldValueRequired");
        self
    }

    /// Reported as a value that may not stand, or not change, here.
    pub(super) const fn forbidden(mut self) -> Self {
        self.reason = Some("FieldValueForbidden");
        self
    }

    /// The rule sees `oldSelf` as an optional and is evaluated on create, too.
    pub(super) const fn with_old(mut self) -> Self {
        self.optional_old_self = Some(true);
        self
    }
}

/// Adds CEL rules to a schema.
pub(super) fn rules(rules: &[Rule]) -> impl FnMut(&mut Schema) {
    move |schema| add_rules(schema, rules)
}

/// Bounds a list, and adds CEL rules for each of its elements.
pub(super) fn each(max_items: u32, rules: &[Rule]) -> impl FnMut(&mut Schema) {
    move |schema| {
        schema.insert("maxItems".to_owned(), max_items.into());
        with_items(schema, |items| add_rules(items, rules));
    }
}

/// Bounds a list of strings, and adds CEL rules for each of them.
pub(super) fn strings(max_items: u32, max_length: u32, rules: &[Rule]) -> impl FnMut(&mut Schema) {
    move |schema| {
        schema.insert("maxItems".to_owned(), max_items.into());
        with_items(schema, |items| {
            items.insert("maxLength".to_owned(), max_length.into());
            add_rules(items, rules);
        });
    }
}

/// A bounded list of names, in which wildcards may stand.
pub(super) fn names(schema: &mut Schema) {
    strings(ENTRIES, 2 * NAME + 1, &[])(schema);
}

/// Takes the deprecated spellings out of routes that only programs write.
pub(super) fn without_aliases(schema: &mut Schema) {
    with_items(schema, |items| {
        if let Some(Value::Object(properties)) = items.get_mut("properties") {
            properties.shift_remove("to");
            properties.shift_remove("via");
        }
    });
}

/// Takes every default out of a schema and of everything below it.
pub(super) fn without_defaults(schema: &mut Schema) {
    schema.remove("default");
    transform_subschemas(&mut without_defaults, schema);
}

fn add_rules(schema: &mut Schema, rules: &[Rule]) {
    if rules.is_empty() {
        return;
    }
    let mut all = schema.remove("x-kubernetes-validations").unwrap_or_else(|| json!([]));
    if let Value::Array(all) = &mut all {
        all.extend(rules.iter().map(|rule| json!(rule)));
    }
    schema.insert("x-kubernetes-validations".to_owned(), all);
}

fn with_items(schema: &mut Schema, change: impl FnOnce(&mut Schema)) {
    if let Some(items) = schema.get_mut("items").and_then(|items| <&mut Schema>::try_from(items).ok()) {
        change(items);
    }
}

/// What the API server itself demands of a requirement of a label selector.
const REQUIREMENT: &[Rule] = &[
    Rule::new(
        "!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
        "values must be given when operator is In or NotIn",
    )
    .at(".values")
    .required(),
    Rule::new(
        "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || self.values.size() == 0",
        "values may not be given when operator is Exists or DoesNotExist",
    )
    .at(".values")
    .forbidden(),
];

/// An empty selector matches everything, which nobody means who wrote one.
pub(super) const NOT_EMPTY: &[Rule] = &[Rule::new(
    "(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",
    "an empty selector matches every pod; leave it out, or name labels",
)];

/// Schema of `metav1.LabelSelector`, without what the API server would not accept in a structural schema.
pub(super) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "type": "object",
                "maxProperties": FEW,
                "additionalProperties": { "type": "string", "maxLength": 63 }
            },
            "matchExpressions": {
                "type": "array",
                "maxItems": FEW,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": { "type": "string", "maxLength": NAME + 64 },
                        "operator": { "type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"] },
                        "values": {
                            "type": "array",
                            "maxItems": ENTRIES,
                            "x-kubernetes-list-type": "atomic",
                            "items": { "type": "string", "maxLength": 63 }
                        }
                    },
                    "x-kubernetes-validations": REQUIREMENT
                }
            }
        }
    })
}

/// Schema of an address family that older manifests also write as text.
pub(super) fn ip_version(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = super::IntOrString::json_schema(generator);
    add_rules(&mut schema, addresses::FAMILY);
    schema
}

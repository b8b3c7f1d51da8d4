//! The reader gives what `serde_json` gives, for whatever JSON; for anything else it gives an answer.

use std::fmt::Debug;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::{from_slice, skip};
use crate::inject::PodView;

/// Borrowing, ignoring, optional and repeated fields around a pod, as in a review.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    object: Option<PodView<'a>>,
    #[serde(rename = "oldObject")]
    old_object: Option<IgnoredAny>,
    #[serde(rename = "dryRun")]
    dry_run: Option<bool>,
    uid: String,
}

/// What a reader made of a text, its error's words included.
fn outcome<T: Debug>(read: serde_json::Result<T>) -> Result<String, String> {
    read.map(|value| format!("{value:?}")).map_err(|error| error.to_string())
}

fn ours(text: &str) -> Result<String, String> {
    outcome(from_slice::<Envelope<'_>>(text.as_bytes()))
}

fn serde_jsons(text: &str) -> Result<String, String> {
    outcome(serde_json::from_str::<Envelope<'_>>(text))
}

/// A string as JSON, plainly or with an escape for every character.
fn spelled(text: &str, escaped: bool) -> String {
    if !escaped {
        return json!(text).to_string();
    }
    let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{}\"", units.concat())
}

fn string(content: &'static str) -> impl Strategy<Value = String> + Clone {
    (content, proptest::bool::weighted(0.1)).prop_map(|(text, escaped)| spelled(&text, escaped))
}

fn space() -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t  ")]
}

/// Any value: brackets, quotes and backslashes in strings among it.
fn anything() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        string("[\\[\\]{}\"\\\\,: a\u{e9}\n]{0,70}"),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| json!(number).to_string()),
        Just("1E+2".to_owned()),
        Just("true".to_owned()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 0..5), space())
                .prop_map(|(items, space)| format!("[{space}{}]", items.join(&format!("{space},")))),
            (proptest::collection::vec((string("[a-z{\\\\\"]{0,4}"), inner), 0..5), space()).prop_map(
                |(fields, space)| {
                    let fields: Vec<_> =
                        fields.iter().map(|(key, value)| format!("{key}{space}:{value}{space}")).collect();
                    format!("{{{}}}", fields.join(","))
                }
            ),
        ]
    })
    .boxed()
}

/// An object with some of the given fields, now and then one that is null, misplaced, unknown, or there twice.
fn object(fields: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    let field = |(name, value): (&'static str, BoxedStrategy<String>)| {
        let value = prop_oneof![60 => value, 2 => Just("null".to_owned()), 1 => anything()];
        let times = prop_oneof![40 => Just(0_usize), 120 => Just(1), 1 => Just(2)];
        (value, times, proptest::bool::weighted(0.05), space()).prop_map(
            move |(value, times, escaped, space)| {
                vec![format!("{}{space}:{space}{value}{space}", spelled(name, escaped)); times]
            },
        )
    };
    let unknown = proptest::option::of(anything())
        .prop_map(|value| value.into_iter().map(|value| format!("\"unread\":{value}")).collect::<Vec<_>>());
    let fields: Vec<BoxedStrategy<Vec<String>>> =
        fields.into_iter().map(|entry| field(entry).boxed()).chain([unknown.boxed()]).collect();
    (fields.prop_shuffle(), space())
        .prop_map(|(fields, space)| format!("{{{space}{}}}", fields.concat().join(&format!(",{space}"))))
        .boxed()
}

fn list(item: BoxedStrategy<String>) -> BoxedStrategy<String> {
    proptest::collection::vec(item, 0..3).prop_map(|items| format!("[{}]", items.join(" ,"))).boxed()
}

fn texts() -> BoxedStrategy<String> {
    string("[a-z\"\\\\/\u{1f984}\u{1}]{0,40}").boxed()
}

fn pairs() -> BoxedStrategy<String> {
    let value = prop_oneof![8 => texts(), 1 => Just("17".to_owned()), 1 => Just("1.50".to_owned())];
    proptest::collection::vec((texts(), value), 0..4)
        .prop_map(|pairs| {
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            format!("{{{}}}", pairs.join(","))
        })
        .boxed()
}

fn containers() -> BoxedStrategy<String> {
    let resources = object(vec![("limits", pairs()), ("requests", pairs()), ("claims", anything())]);
    list(object(vec![
        ("name", texts()),
        ("restartPolicy", texts()),
        ("env", anything()),
        ("resources", resources),
    ]))
}

/// A review of a pod, nearly always well-formed.
fn reviews() -> BoxedStrategy<String> {
    let metadata = object(vec![
        ("name", texts()),
        ("generateName", texts()),
        ("labels", pairs()),
        ("annotations", pairs()),
        ("ownerReferences", list(object(vec![("kind", texts()), ("name", texts())]))),
        ("managedFields", anything()),
    ]);
    let spec = object(vec![
        ("hostNetwork", any::<bool>().prop_map(|flag| flag.to_string()).boxed()),
        ("os", object(vec![("name", texts())])),
        ("nodeSelector", pairs()),
        ("containers", containers()),
        ("initContainers", containers()),
        ("volumes", anything()),
    ]);
    let pod = object(vec![("metadata", metadata), ("spec", spec), ("status", anything())]);
    object(vec![
        ("object", pod),
        ("oldObject", anything()),
        ("dryRun", any::<bool>().prop_map(|flag| flag.to_string()).boxed()),
        ("uid", texts()),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_review_reads_as_serde_json_reads_it(text in reviews()) {
        prop_assert_eq!(ours(&text), serde_jsons(&text));
    }

    #[test]
    fn any_json_reads_as_serde_json_reads_it(text in anything()) {
        prop_assert_eq!(ours(&text), serde_jsons(&text));
        let ignored = outcome(from_slice::<IgnoredAny>(text.as_bytes()));
        prop_assert_eq!(ignored, outcome(serde_json::from_str::<IgnoredAny>(&text)));
    }

    #[test]
    fn an_unread_value_ends_where_it_ends(before in "[ ]{0,70}", value in anything(), after in "[\\]}\"\\\\,]{0,70}") {
        prop_assume!(value.starts_with(['[', '{', '"']));
        let text = format!("{before}{value}{after}");
        let skip = if value.starts_with('"') { skip::string } else { skip::brackets };
        let inside = usize::from(value.starts_with('"'));
        prop_assert_eq!(skip(text.as_bytes(), before.len() + inside), Some(before.len() + value.len()));
    }

    #[test]
    fn a_review_that_is_cut_off_is_an_error(text in reviews(), share in 0.0..1.0_f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short text")]
        let cut = (text.len() as f64 * share) as usize;
        prop_assert!(from_slice::<Envelope<'_>>(&text.as_bytes()[..cut]).is_err());
    }

    #[test]
    fn damaged_text_has_an_answer(text in reviews(), at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let read = outcome(from_slice::<Envelope<'_>>(&bytes));
        // What `serde_json` takes, this reader takes for the same; it may take more.
        if let Ok(expected) = outcome(serde_json::from_slice::<Envelope<'_>>(&bytes)) {
            prop_assert_eq!(read, Ok(expected));
        }
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = from_slice::<Envelope<'_>>(&bytes);
        for at in 0..bytes.len() {
            let _ = (skip::brackets(&bytes, at), skip::string(&bytes, at), skip::word(&bytes, at));
        }
    }
}

#[test]
fn text_without_escapes_is_borrowed() {
    let body = br#"{"object":{"metadata":{"name":"train-0"}}}"#;
    let read: Envelope<'_> = from_slice(body).unwrap();
    let name = read.object.unwrap().metadata.name.unwrap();
    assert!(body.as_ptr_range().contains(&name.as_str().as_ptr()));
}

#[test]
fn brackets_that_do_not_match_are_an_error_wherever_they_stand() {
    for unread in ["[", "{", "]", "}", "[}", "{]", "[{]}", "[[]", "\"", "[\"]", "[\"\\\"]"] {
        let text = format!(r#"{{"uid":"u","unread":{unread}}}"#);
        assert_eq!(ours(&text), serde_jsons(&text), "{text}");
        assert!(ours(&text).is_err(), "{text}");
    }
}

#[test]
fn what_follows_the_value_is_an_error() {
    for text in ["{} {}", "{},", "{}]", r#"{"uid":"u",}"#, r#"{"uid" "u"}"#, r#"{,"uid":"u"}"#, "", " "] {
        assert_eq!(ours(text), serde_jsons(text), "{text:?}");
        assert!(ours(text).is_err(), "{text:?}");
    }
}

/// The price of speed, so that nobody is surprised: such text does not come from an API server.
#[test]
fn mistakes_inside_of_what_nobody_reads_are_passed_over() {
    for unread in ["[1 2]", "[1,]", "{1}", "nil", "[\"\\q\"]", "[\"\n\"]"] {
        let text = format!(r#"{{"uid":"u","unread":{unread}}}"#);
        assert!(serde_jsons(&text).is_err(), "{text}");
        assert!(ours(&text).is_ok(), "{text}");
    }
}

#[test]
fn nesting_takes_no_stack() {
    for depth in [10, 126, 127, 128, 1_000_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let text = format!(r#"{{"uid":"u","unread":{nested}}}"#);
        assert!(ours(&text).is_ok(), "{depth} levels");
    }
    assert!(ours(&"[{\"a\":".repeat(1_000_000)).is_err());
}

//! Holds `docs/compatibility.md` to its word: each manifest there gets the answer printed under it.

use std::sync::Arc;

use serde_json::Value;

use super::{Context, NoticeKind, Operation, Peers, PoolFacts, normalise, validate};
use crate::api::settings::Settings;
use crate::api::{Kind, SpiderIPPoolSpec};

const PAGE: &str = include_str!("../../docs/compatibility.md");

/// The fenced blocks of the page: info string and text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let fenced = PAGE.split("\n```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).collect()
}

/// The one pool that the page supposes to exist.
fn peers() -> Peers {
    let spec = SpiderIPPoolSpec { subnet: Some("10.11.0.0/24".to_owned()), ..SpiderIPPoolSpec::default() };
    let pool = Arc::new(PoolFacts { name: "gpu1-net11".to_owned(), spec, ..PoolFacts::default() });
    Peers::build([pool].iter(), [].iter(), [].iter())
}

#[test]
fn every_manifest_of_the_page_gets_the_answer_under_it() {
    let (settings, peers) = (Settings::default(), peers());
    let context = Context { settings: &settings, peers: &peers };
    let (mut object, mut examples) = (Value::Null, 0);
    for (info, text) in blocks() {
        match info {
            "yaml" => object = serde_saphyr::from_str(text).unwrap(),
            "yaml stored" => {
                let expected: Value = serde_saphyr::from_str(text).unwrap();
                let kind = Kind::from_name(object["kind"].as_str().unwrap()).unwrap();
                let mut stored = object.clone();
                normalise(kind, &mut stored, None, &context);
                assert_eq!(stored["spec"], expected);
            }
            "text" => {
                let kind = Kind::from_name(object["kind"].as_str().unwrap()).unwrap();
                let mut notices = normalise(kind, &mut object, None, &context);
                assert!(notices.iter().all(|notice| notice.kind == NoticeKind::Mended));
                let findings = validate(kind, Operation::Create, &object, None, &context);
                notices.extend(findings.notices);
                let warnings = notices.iter().map(|notice| format!("warning: {notice}"));
                let errors = findings.errors.iter().map(|error| format!("error: {error}"));
                assert_eq!(warnings.chain(errors).collect::<Vec<_>>().join("\n"), text);
                examples += 1;
            }
            other => panic!("a block of kind {other:?}"),
        }
    }
    assert_eq!(examples, 7);
}

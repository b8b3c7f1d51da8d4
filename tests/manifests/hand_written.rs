//! The examples are canonical, and the guide's manifests become so.

use std::fs;
use std::path::{Path, PathBuf};

use railweave::api::Kind;
use railweave::api::settings::Settings;
use railweave::rules::{self, Context, NoticeKind, Operation, Peers};
use railweave::yaml;
use serde_json::Value;

use crate::schemas::refusals;

fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut pending = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                files.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// The custom resources among the documents of a file.
fn resources(text: &str) -> Vec<(Kind, Value)> {
    yaml::documents(text)
        .into_iter()
        .map(|document| document.content.unwrap().value)
        .filter_map(|value| Some((Kind::from_name(value["kind"].as_str()?)?, value)))
        .collect()
}

fn refused_by_schema(kind: Kind, object: &Value) -> Vec<String> {
    refusals(kind, object, None).iter().map(ToString::to_string).collect()
}

fn errors(kind: Kind, object: &Value, context: &Context<'_>) -> Vec<String> {
    let findings = rules::validate(kind, Operation::Create, object, None, context);
    findings.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn examples_are_canonical() {
    let (settings, peers) = (Settings::default(), Peers::default());
    let context = Context { settings: &settings, peers: &peers };
    for (path, text) in files("manifests/examples") {
        for (kind, mut object) in resources(&text) {
            let written = object["spec"].clone();
            let notices = rules::normalise(kind, &mut object, None, &context);
            let mended = notices.iter().find(|notice| notice.kind == NoticeKind::Mended);
            assert!(mended.is_none(), "{}: {mended:?}", path.display());
            assert_eq!(object["spec"], written, "{}", path.display());
            assert_eq!(errors(kind, &object, &context), [""; 0], "{}", path.display());
            assert_eq!(refused_by_schema(kind, &object), [""; 0], "{}", path.display());
        }
    }
}

#[test]
fn the_guide_is_mended_once_and_for_all() {
    let (settings, peers) = (Settings::default(), Peers::default());
    let context = Context { settings: &settings, peers: &peers };
    for (path, text) in files("manifests/guide") {
        assert!(text.starts_with("# Guide, "), "{}: say where in the guide it stands", path.display());
        let mut mended = 0;
        let resources = resources(&text);
        let is_ours = !resources.is_empty();
        for (kind, mut object) in resources {
            let notices = rules::normalise(kind, &mut object, None, &context);
            mended += notices.iter().filter(|notice| notice.kind == NoticeKind::Mended).count();
            assert_eq!(errors(kind, &object, &context), [""; 0], "{}", path.display());
            assert_eq!(refused_by_schema(kind, &object), [""; 0], "{}", path.display());
            let once = object.clone();
            let again = rules::normalise(kind, &mut object, None, &context);
            assert_eq!(object, once, "{}", path.display());
            assert!(again.iter().all(|notice| notice.kind != NoticeKind::Mended), "{}", path.display());
        }
        assert_eq!(mended > 0, is_ours, "{}: every snippet has a loose spelling", path.display());
    }
}

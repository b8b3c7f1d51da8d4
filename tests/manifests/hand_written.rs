//! The examples are canonical, and the guide's manifests become so.

use railweave::api::Kind;
use railweave::api::settings::Settings;
use railweave::rules::{self, Context, NoticeKind, Operation, Peers};
use serde_json::Value;

use crate::files::files;
use crate::resources::resources;
use crate::schemas::refusals;

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
            assert!(mended.is_none(), "{path}: {mended:?}");
            assert_eq!(object["spec"], written, "{path}");
            assert_eq!(errors(kind, &object, &context), [""; 0], "{path}");
            assert_eq!(refused_by_schema(kind, &object), [""; 0], "{path}");
        }
    }
}

#[test]
fn the_guide_is_mended_once_and_for_all() {
    let (settings, peers) = (Settings::default(), Peers::default());
    let context = Context { settings: &settings, peers: &peers };
    for (path, text) in files("manifests/guide") {
        assert!(text.starts_with("# Guide, "), "{path}: say where in the guide it stands");
        let mut mended = 0;
        let resources = resources(&text);
        let is_ours = !resources.is_empty();
        for (kind, mut object) in resources {
            let notices = rules::normalise(kind, &mut object, None, &context);
            mended += notices.iter().filter(|notice| notice.kind == NoticeKind::Mended).count();
            assert_eq!(errors(kind, &object, &context), [""; 0], "{path}");
            assert_eq!(refused_by_schema(kind, &object), [""; 0], "{path}");
            let once = object.clone();
            let again = rules::normalise(kind, &mut object, None, &context);
            assert_eq!(object, once, "{path}");
            assert!(again.iter().all(|notice| notice.kind != NoticeKind::Mended), "{path}");
        }
        assert_eq!(mended > 0, is_ours, "{path}: every snippet has a loose spelling");
    }
}

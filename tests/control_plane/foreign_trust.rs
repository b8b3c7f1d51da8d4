//! Certificates that somebody else makes: cert-manager, which fills in `caBundle` itself, and files of one's own.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railweave::admission::certificates::{Authority, issue_leaf, make_authority};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::installation::{CONTROLLER, Installation, Options};
use crate::load::Load;
use crate::objects::{assert_injected, opted_in_pod, rails};
use crate::service::host_name;

const KINDS: [&str; 2] = ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"];
const DAY: Duration = Duration::from_hours(24);
/// Files are looked at every 3 s.
const NOTICED: Duration = Duration::from_secs(5);

/// The folder that a Secret would be mounted at.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let temporary: PathBuf = self.path().join(format!(".{name}"));
        std::fs::write(&temporary, text).unwrap();
        std::fs::rename(temporary, self.path().join(name)).unwrap();
    }

    fn serve(&self, authority: &Authority) {
        let leaf = issue_leaf(authority, &[host_name()], SystemTime::now(), DAY).unwrap();
        // The key first: for a moment the pair does not belong together, and the one before stays in force.
        self.write("tls.key", &leaf.key_pem);
        self.write("tls.crt", &leaf.cert_pem);
    }
}

fn authority(name: &str) -> Authority {
    make_authority(name, SystemTime::now(), DAY).unwrap()
}

fn registered(installation: &Installation, kind: &str) -> Value {
    let printed = installation.cluster.kubectl(&["get", "-o", "json", kind, CONTROLLER], "");
    serde_json::from_str(&printed.out).unwrap_or_default()
}

/// Writes the bundle into every webhook, as cert-manager's cainjector does.
fn inject(installation: &Installation, bundle: &str) {
    let bundle = STANDARD.encode(bundle);
    for kind in KINDS {
        let webhooks = registered(installation, kind)["webhooks"].as_array().unwrap().len();
        let place = |index: usize| format!("/webhooks/{index}/clientConfig/caBundle");
        let operations: Vec<Value> =
            (0..webhooks).map(|index| json!({"op": "add", "path": place(index), "value": bundle})).collect();
        let patch = Value::from(operations).to_string();
        let arguments = [
            "patch",
            kind,
            CONTROLLER,
            "--type=json",
            "--field-manager=cert-manager-cainjector",
            "-p",
            &patch,
        ];
        installation.cluster.kubectl_ok(&arguments, "");
    }
}

fn versions(installation: &Installation) -> [Value; 2] {
    KINDS.map(|kind| registered(installation, kind)["metadata"]["resourceVersion"].clone())
}

async fn in_sync(installation: &Installation) -> bool {
    installation.replicas[0].metric("railweave_ca_bundle_in_sync").await > 0.5
}

pub(crate) async fn cert_manager_s_bundle_is_left_to_it() {
    let mount = Mount::new();
    let first = authority("first");
    mount.serve(&first);
    let flags = [
        "--tls-dir",
        mount.path().to_str().unwrap(),
        "--cert-manager-inject",
        "spiderpool/spiderpool-controller",
    ];
    let options = Options { replicas: 0, flags: &flags, ..Options::default() };
    let mut installation = Installation::start("cert-manager", options).await;
    installation.add_replica().await;
    for kind in KINDS {
        installation
            .wait_for(kind, || async { registered(&installation, kind)["webhooks"][0].is_object() })
            .await;
        assert_eq!(
            registered(&installation, kind)["metadata"]["annotations"]["cert-manager.io/inject-ca-from"],
            "spiderpool/spiderpool-controller"
        );
    }
    sleep(Duration::from_secs(1)).await;
    assert!(!in_sync(&installation).await, "nobody has said yet whom to trust");

    inject(&installation, &first.cert_pem);
    installation.wait_for("the bundles to be seen", || in_sync(&installation)).await;
    // The API server has a watch of its own.
    sleep(Duration::from_secs(1)).await;
    installation.cluster.apply(&rails(2));
    installation.knows_rails(2).await;
    // The policies come into force a few seconds later; after that there is nothing left to write.
    installation.policies_in_force().await;
    let settled = versions(&installation);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(versions(&installation), settled, "two writers take turns");

    // What is ours is repaired without touching the bundles.
    let patch = r#"[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]"#;
    installation.cluster.kubectl_ok(&["patch", KINDS[0], CONTROLLER, "--type=json", "-p", patch], "");
    installation
        .wait_for("the repair", || async {
            registered(&installation, KINDS[0])["webhooks"][0]["failurePolicy"] == "Fail"
        })
        .await;
    let stored = registered(&installation, KINDS[0]);
    let held = STANDARD.encode(&first.cert_pem);
    for webhook in stored["webhooks"].as_array().unwrap() {
        assert_eq!(webhook["clientConfig"]["caBundle"], *held, "{}", webhook["name"]);
    }
    assert_injected(&installation.try_pod("default", &opted_in_pod()).await.unwrap(), 2, 0);

    let second = authority("second");
    inject(&installation, &format!("{}{}", first.cert_pem, second.cert_pem));
    mount.serve(&second);
    sleep(NOTICED).await;
    inject(&installation, &second.cert_pem);
    sleep(Duration::from_secs(1)).await;
    assert_injected(&installation.try_pod("default", &opted_in_pod()).await.unwrap(), 2, 0);
}

/// As docs/operations.md says: both CAs, then the new pair, then the new CA alone.
pub(crate) async fn a_new_ca_of_one_s_own_goes_in_first() {
    let mount = Mount::new();
    let (first, second) = (authority("first"), authority("second"));
    mount.serve(&first);
    mount.write("ca.crt", &first.cert_pem);
    let flags = ["--tls-dir", mount.path().to_str().unwrap()];
    let options = Options { replicas: 2, flags: &flags, ..Options::default() };
    let installation = Installation::start("provided", options).await.with_rails(2).await;
    let bundle_is = |bundle: String| {
        let wanted = STANDARD.encode(bundle);
        let installation = &installation;
        async move {
            installation
                .wait_for("the bundle", || async {
                    KINDS.iter().all(|kind| {
                        registered(installation, kind)["webhooks"].as_array().is_some_and(|all| {
                            all.iter().all(|one| one["clientConfig"]["caBundle"] == *wanted)
                        })
                    })
                })
                .await
        }
    };
    bundle_is(first.cert_pem.clone()).await;

    let load = Load::start(&installation.pods("default"), &opted_in_pod(), 4);
    let both = format!("{}{}", first.cert_pem, second.cert_pem);
    mount.write("ca.crt", &both);
    bundle_is(both).await;
    sleep(Duration::from_secs(1)).await;
    mount.serve(&second);
    sleep(NOTICED).await;
    mount.write("ca.crt", &second.cert_pem);
    bundle_is(second.cert_pem.clone()).await;
    sleep(Duration::from_secs(1)).await;
    load.stop().await.assert_all_injected(100);
}

//! A kubelet as far as this API goes: gRPC over HTTP/2 on a unix socket.

use std::convert::Infallible;
use std::sync::Mutex;

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tokio::net::UnixListener;

use super::*;
use messages::{Container, Pod};

/// What the server answers to a method: a message, or a gRPC status and its text.
type Answer = Result<Vec<u8>, (&'static str, &'static str)>;

const OFTEN: Duration = Duration::from_millis(20);

struct Kubelet {
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Kubelet {
    fn start(answer: fn(&str) -> Answer) -> Self {
        let kubelet = Self { folder: tempfile::tempdir().unwrap(), asked: Arc::default() };
        let listener = UnixListener::bind(kubelet.socket()).unwrap();
        let asked = Arc::clone(&kubelet.asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let asked = Arc::clone(&asked);
                let service = service_fn(move |request: Request<Incoming>| {
                    let asked = Arc::clone(&asked);
                    async move { Ok::<_, Infallible>(respond(request, &asked, answer).await) }
                });
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        kubelet
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("kubelet.sock")
    }
}

async fn respond(
    request: Request<Incoming>,
    asked: &Mutex<Vec<String>>,
    answer: fn(&str) -> Answer,
) -> Response<impl hyper::body::Body<Data = Bytes, Error = Infallible> + use<>> {
    let (head, body) = request.into_parts();
    assert_eq!((head.method.as_str(), head.headers["te"].as_bytes()), ("POST", &b"trailers"[..]));
    assert_eq!(head.headers["content-type"], "application/grpc");
    assert_eq!(body.collect().await.unwrap().to_bytes(), [0; 5][..], "an empty message in its frame");
    asked.lock().unwrap().push(head.uri.path().to_owned());

    let mut trailers = HeaderMap::new();
    let mut frame = BytesMut::new();
    match answer(head.uri.path()) {
        Ok(message) => {
            frame.put_u8(0);
            frame.put_u32(u32::try_from(message.len()).unwrap());
            frame.extend_from_slice(&message);
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
        }
        Err((code, message)) => {
            trailers.insert("grpc-status", HeaderValue::from_static(code));
            trailers.insert("grpc-message", HeaderValue::from_static(message));
        }
    }
    let body = Full::new(frame.freeze()).with_trailers(async move { Some(Ok(trailers)) });
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

fn devices(resource: &str, devices: &[&str]) -> ContainerDevices {
    ContainerDevices {
        resource: resource.into(),
        devices: devices.iter().map(|id| (*id).to_owned()).collect(),
    }
}

fn resource(name: &str, devices: &[&str]) -> Resource {
    Resource { name: name.into(), devices: devices.iter().map(|id| (*id).to_owned()).collect() }
}

#[tokio::test]
async fn devices_that_plugins_offer_are_read() {
    let kubelet = Kubelet::start(|_| {
        let rails = devices("spidernet.io/gpu1sriov", &["0000:86:00.2", "0000:86:00.3"]);
        Ok(Allocatable { devices: vec![rails, devices("nvidia.com/gpu", &["GPU-8f3c"])] }.encode_to_vec())
    });
    assert_eq!(
        ask(&kubelet.socket()).await.unwrap(),
        [
            resource("spidernet.io/gpu1sriov", &["0000:86:00.2", "0000:86:00.3"]),
            resource("nvidia.com/gpu", &["GPU-8f3c"])
        ]
    );
    assert_eq!(*kubelet.asked.lock().unwrap(), ["/v1.PodResourcesLister/GetAllocatableResources"]);
}

/// Bytes by the definition of `podresources/v1`: fields that are not read here are passed over.
#[tokio::test]
async fn what_a_kubelet_says_besides_is_passed_over() {
    let kubelet = Kubelet::start(|_| {
        let mut devices = b"\x0a\x03a/b\x12\x0c0000:86:00.2".to_vec();
        devices.extend(b"\x1a\x04\x0a\x02\x08\x01"); // topology: NUMA node 1
        let mut message = vec![0x0a, u8::try_from(devices.len()).unwrap()];
        message.extend(devices);
        message.extend(b"\x12\x03\x00\x01\x02"); // cpu_ids
        message.extend(b"\x1a\x0b\x0a\x06memory\x10\x80\x20"); // memory
        Ok(message)
    });
    assert_eq!(ask(&kubelet.socket()).await.unwrap(), [resource("a/b", &["0000:86:00.2"])]);
}

#[tokio::test]
async fn of_a_kubelet_that_lists_no_devices_those_of_pods_are_read() {
    let kubelet = Kubelet::start(|method| match method {
        "/v1.PodResourcesLister/List" => {
            let container = |id: &str| Container { devices: vec![devices("spidernet.io/gpu1sriov", &[id])] };
            let pods = vec![
                Pod { containers: vec![container("0000:86:00.2"), Container::default()] },
                Pod { containers: vec![container("0000:86:00.3")] },
            ];
            Ok(Allocated { pods }.encode_to_vec())
        }
        _ => Err(("2", "Pod Resources API GetAllocatableResources disabled")),
    });
    assert_eq!(
        ask(&kubelet.socket()).await.unwrap(),
        [
            resource("spidernet.io/gpu1sriov", &["0000:86:00.2"]),
            resource("spidernet.io/gpu1sriov", &["0000:86:00.3"])
        ]
    );
}

/// More than one HTTP/2 frame and more than one window.
#[tokio::test]
async fn long_answers_are_read_whole() {
    let kubelet = Kubelet::start(|_| {
        let ids: Vec<String> = (0..20_000).map(|number| format!("device-{number:08}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        Ok(Allocatable { devices: vec![devices("a/b", &ids)] }.encode_to_vec())
    });
    assert_eq!(ask(&kubelet.socket()).await.unwrap()[0].devices.len(), 20_000);
}

async fn refusal(answer: fn(&str) -> Answer) -> String {
    describe(&ask(&Kubelet::start(answer).socket()).await.unwrap_err())
}

#[tokio::test]
async fn errors_say_what_went_wrong() {
    assert_eq!(
        refusal(|_| Err(("14", "the kubelet is starting"))).await,
        "the server refused with gRPC status 14: the kubelet is starting"
    );
    let nonsense = refusal(|_| Ok(vec![0x0a, 0x7f])).await;
    assert!(nonsense.starts_with("failed to decode the answer: "), "{nonsense}");
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("kubelet.sock");
    assert!(ask(&socket).await.unwrap_err().nobody_there());
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(ask(&socket).await.unwrap_err().nobody_there(), "left behind by a kubelet that ended");
}

#[tokio::test]
async fn resources_are_told_once_and_stay_when_the_kubelet_goes() {
    let (sender, mut told) = watch::channel(None);
    let kubelet =
        Kubelet::start(|_| Ok(Allocatable { devices: vec![devices("a/b", &["x"])] }.encode_to_vec()));
    let asking = tokio::spawn(follow(kubelet.socket(), OFTEN, sender));
    let known = told.wait_for(Option::is_some).await.unwrap().clone();
    assert_eq!(known.as_deref(), Some(&[resource("a/b", &["x"])][..]));
    drop(kubelet);
    sleep(OFTEN * 10).await;
    assert!(!told.has_changed().unwrap());
    asking.abort();
}

#[tokio::test]
async fn without_a_kubelet_there_are_no_resources() {
    let (sender, mut told) = watch::channel(None);
    let asking = tokio::spawn(follow(PathBuf::from("/nowhere/kubelet.sock"), OFTEN, sender));
    let known = told.wait_for(Option::is_some).await.unwrap().clone();
    assert_eq!(known.as_deref(), Some(&[][..]));
    asking.abort();
}

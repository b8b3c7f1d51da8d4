use railweave_cni::netlink::{Namespace, Protocol, Socket};

use crate::namespace::{self, ip};

pub(crate) fn are_worked_in_from_outside() {
    let pod = Namespace::of_this_thread().unwrap();
    ip("link add rail0 type veth peer name wire");
    namespace::enter().unwrap();
    let here = Namespace::of_this_thread().unwrap();
    assert_ne!(pod.number().unwrap(), here.number().unwrap());

    let names = |socket: &mut Socket| -> Vec<String> {
        socket.links().unwrap().into_iter().map(|link| link.name).collect()
    };
    let mut inside = pod.run(|| Socket::open(Protocol::Route)).unwrap().unwrap();
    assert_eq!(names(&mut inside), ["lo", "wire", "rail0"]);
    assert_eq!(names(&mut Socket::open(Protocol::Route).unwrap()), ["lo"], "this thread stayed where it was");
    assert_eq!(here.number().unwrap(), Namespace::of_this_thread().unwrap().number().unwrap());
}

pub(crate) fn that_are_none_are_refused() {
    let error = Namespace::open("/run/netns/cni-gone").unwrap_err();
    assert!(error.is_gone());
    assert_eq!(error.to_string(), "failed to open network namespace /run/netns/cni-gone");
    let error = Namespace::open("/proc/thread-self/ns/uts").unwrap().run(|| ()).unwrap_err();
    assert!(!error.is_gone());
    assert_eq!(error.to_string(), "failed to enter network namespace /proc/thread-self/ns/uts");
    let here = Namespace::of_this_thread().unwrap();
    let error = here.run(|| assert_eq!(1, 2, "a panic of the work is no panic of the caller")).unwrap_err();
    assert_eq!(error.to_string(), "failed to work in network namespace /proc/thread-self/ns/net");
}

//! A rail: a pod with `net1`, and whatever else is on the wire.
#![allow(dead_code, reason = "not every program that has one asks everything of it")]

use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _};

use railweave_cni::netlink::{Protocol, Socket};
use railweave_cni::spec::Call;
use serde_json::{Value, json};

use crate::namespace::{self, ip};

/// The pod's namespace; this thread stays in that of the others, who have `wire`.
pub(crate) struct Rail {
    pub(crate) pod: File,
}

impl Rail {
    /// `wire` has 172.16.1.1/27 and `fd00:1::1/64`; `net1` is off and has nothing.
    pub(crate) fn new() -> Self {
        let others = namespace::this();
        namespace::enter().unwrap();
        let pod = namespace::this();
        namespace::back(&others);
        ip("link add net1 type veth peer name wire");
        let mut socket = Socket::open(Protocol::Route).unwrap();
        let net1 = socket.link("net1").unwrap().unwrap().index;
        socket.move_link(net1, pod.as_fd()).unwrap();
        ip("link set wire address 02:00:00:00:00:01 up");
        ip("address add 172.16.1.1/27 dev wire");
        ip("address add fd00:1::1/64 dev wire nodad");
        Self { pod }
    }

    /// What a runtime asks about `net1`.
    pub(crate) fn call(&self, command: &str, config: &Value) -> Call {
        let netns = format!("/proc/self/fd/{}", self.pod.as_raw_fd());
        let variable = |name: &str| {
            let value = match name {
                "CNI_COMMAND" => command,
                "CNI_CONTAINERID" => "4f3c",
                "CNI_NETNS" => &netns,
                "CNI_IFNAME" => "net1",
                "CNI_ARGS" => "K8S_POD_NAMESPACE=ai;K8S_POD_NAME=job-0;K8S_POD_UID=6f1d",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let mut whole = json!({"cniVersion": "1.1.0", "name": "gpu1", "type": "sriov"});
        whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        Call::parse(variable, whole.to_string().as_bytes()).unwrap()
    }

    /// Runs `ip` in the pod.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        let others = namespace::this();
        namespace::back(&self.pod);
        let printed = ip(arguments);
        namespace::back(&others);
        printed
    }
}

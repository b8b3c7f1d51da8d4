//! As many pods as a port has functions, each with a rail on every port, at once: what a node does when it has restarted.

use std::thread;

use serde_json::json;

use crate::agent::{self, Agent};
use crate::home::{self, Function};
use crate::pod::Pod;
use crate::runtime::{Attachment, chain};

/// A rail of a pod.
pub(crate) struct Rail {
    /// Position of the pod.
    pub(crate) pod: usize,
    pub(crate) function: &'static Function,
    pub(crate) attachment: Attachment,
}

/// One pod for each function of a port.
pub(crate) fn pods() -> Vec<Pod> {
    (1..=home::of_port(0).len()).map(|number| Pod::of_cluster(&format!("pod-{number}"))).collect()
}

/// Every rail of every pod, by a process of its own each, all at once.
pub(crate) fn attach(pods: &[Pod]) -> Vec<Rail> {
    let of_pod = |number: usize| (0..home::ports()).map(move |port| (number, port));
    let places = (0..pods.len()).flat_map(of_pod);
    thread::scope(|scope| {
        let attached: Vec<_> = places
            .map(|(pod, port)| {
                let function = home::function(port, u32::try_from(pod).unwrap());
                let name = format!("net{}", port + 1);
                let mut attachment = Attachment::new(&pods[pod], &name, chain(function, &json!({})));
                scope.spawn(move || {
                    attachment.add().unwrap();
                    Rail { pod, function, attachment }
                })
            })
            .collect();
        attached.into_iter().map(|rail| rail.join().unwrap()).collect()
    })
}

/// All of them, at once again.
pub(crate) fn detach(rails: &[Rail]) {
    thread::scope(|scope| {
        for rail in rails {
            scope.spawn(|| rail.attachment.del().unwrap());
        }
    });
}

pub(crate) fn comes_and_goes_at_once() {
    let (_agent, pods) = (Agent::start(), pods());
    let rails = attach(&pods);
    for Rail { pod, function, attachment } in &rails {
        let (pod, name) = (&pods[*pod], format!("net{}", function.port + 1));
        attachment.check().unwrap();
        // Its own function and no other's, with its own address.
        let shown = pod.run(&format!("ip -oneline address show {name}"));
        let (address, _) = agent::address(pod.name(), &name);
        assert!(shown.contains(&format!("inet {address}/24")), "{shown}");
        let (_, mac, _) = function.link_state.as_ref().unwrap();
        let shown = pod.run(&format!("ip -oneline link show {name}"));
        assert!(shown.contains(mac.as_str()), "{mac} is not in {shown}");
    }
    for (number, pod) in pods.iter().enumerate() {
        let of_pod = rails.iter().filter(|rail| rail.pod == number);
        let mut own: Vec<&str> = of_pod.filter_map(|rail| rail.function.rdma.as_deref()).collect();
        let mut seen = pod.rdma();
        own.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, own);
    }
    detach(&rails);
}

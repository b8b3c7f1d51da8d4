//! Other holders of an address and gateways are found on the wire, and whose it is now is told to everybody.

#![expect(clippy::print_stderr, reason = "times are read by people")]

use std::time::{Duration, Instant};

use railweave_cni::netlink::{Namespace, Protocol, Socket};
use railweave_cni::packet::{Advertisement, Arp, Packet, Port};
use railweave_cni::plugins::ipam;
use railweave_cni::spec::{Answer, CniError};
use serde_json::{Value, json};

use crate::agent::{Agent, Asked};
use crate::namespace::ip;
use crate::rail::Rail;

/// One address of `net1`, of which everything is to be known.
fn address(address: &str, gateway: &str) -> Value {
    json!({"version": if address.contains(':') { 6 } else { 4 }, "address": address, "nic": "net1", "ipPool": "gpu1-pool",
           "gateway": gateway, "enableGatewayDetection": true, "enableIPConflictDetection": true})
}

struct Attempt {
    added: Result<Answer, CniError>,
    took: Duration,
    released: Vec<Asked>,
}

/// An ADD to which the agent answers with these addresses, and to a release with this status.
fn add(rail: &Rail, ips: Vec<Value>, release: u16) -> Attempt {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), move |asked| match asked.what.as_str() {
        "POST /v1/ipam/ip" => (200, json!({"ips": ips})),
        _ => (release, json!("so it is")),
    });
    let call =
        rail.call("ADD", &json!({"ipam": {"type": "spiderpool", "ipam_unix_socket_path": agent.socket()}}));
    let started = Instant::now();
    let added = ipam::add(&call);
    Attempt { added, took: started.elapsed(), released: agent.asked().split_off(1) }
}

pub(crate) fn that_nobody_has_are_handed_out() {
    let rail = Rail::new();
    let ips = vec![address("172.16.1.2/27", "172.16.1.1"), address("fd00:1::2/64", "fd00:1::1")];
    let Attempt { added, took, released } = add(&rail, ips, 200);
    assert_eq!(added.unwrap().ips.len(), 2);
    assert_eq!(released, []);
    eprintln!("two addresses and two gateways looked for in {took:?}");
    assert!(took < Duration::from_millis(400), "{took:?}");
}

pub(crate) fn that_are_in_use_are_given_back() {
    let rail = Rail::new();
    ip("address add 172.16.1.2/27 dev wire");
    ip("address add fd00:1::2/64 dev wire nodad");
    for (of, others) in [("172.16.1.2", "fd00:1::3/64"), ("fd00:1::2", "172.16.1.3/27")] {
        let prefix = if of.contains(':') { 64 } else { 27 };
        let ips = vec![address(&format!("{of}/{prefix}"), ""), address(others, "")];
        let Attempt { added, took, released } = add(&rail, ips, 200);
        let error = added.unwrap_err();
        eprintln!("another holder of {of} found in {took:?}");
        assert_eq!(error.code, CniError::ADDRESS_CONFLICT);
        assert_eq!(
            error.msg,
            format!(
                "net1 of pod ai/job-0: address {of} of pool gpu1-pool is in use by 02:00:00:00:00:01; find that host, or add \
                 the address to excludeIPs of the pool"
            )
        );
        assert_eq!(error.details, "what is in use elsewhere is released, the next attempt gets another");
        assert_eq!(released.len(), 1);
        assert_eq!(released[0].what, "DELETE /v1/ipam/ips");
        let body = &released[0].body;
        assert_eq!(body["isReleaseConflictIPs"], true, "{body}");
        assert_eq!(body["ips"], json!([of]), "other addresses of the pod stay its own");
        assert_eq!(
            (&body["podName"], &body["podNamespace"], &body["podUID"]),
            (&json!("job-0"), &json!("ai"), &json!("6f1d"))
        );
    }
}

pub(crate) fn that_are_in_use_stay_where_the_agent_says_so() {
    let rail = Rail::new();
    ip("address add 172.16.1.2/27 dev wire");
    for (status, details) in [
        (
            521,
            "the pod keeps its addresses: their release is switched off at the agent (SPIDERPOOL_ENABLED_RELEASE_CONFLICT_IPS)",
        ),
        (522, "the pod keeps its addresses, it has them by its name"),
        (500, "it is not released: so it is"),
    ] {
        let attempt = add(&rail, vec![address("172.16.1.2/27", "")], status);
        let error = attempt.added.unwrap_err();
        assert_eq!((error.code, error.details.as_str()), (CniError::ADDRESS_CONFLICT, details));
    }
}

pub(crate) fn whose_gateway_is_dead_are_refused() {
    let rail = Rail::new();
    let ips = vec![address("172.16.1.2/27", "172.16.1.30"), address("fd00:1::2/64", "fd00:1::1")];
    let Attempt { added, took, released } = add(&rail, ips, 200);
    let error = added.unwrap_err();
    eprintln!("a gateway given up after {took:?}");
    assert_eq!(error.code, CniError::GATEWAY_UNREACHABLE);
    assert_eq!(
        error.msg,
        "net1 of pod ai/job-0: gateway 172.16.1.30 of pool gpu1-pool does not answer 172.16.1.2; see whether the port's switch \
         carries its VLAN, and whether spec.gateway of the pool is right"
    );
    assert_eq!(error.details, "the pod keeps its addresses, the next attempt looks again");
    assert_eq!(released, []);
    assert!(took < Duration::from_millis(400), "{took:?}");
}

/// Of IPv6, and of both: each that is silent is named.
pub(crate) fn whose_gateways_are_dead_in_any_family_are_refused() {
    let rail = Rail::new();
    let text = |gateway: &str, of: &str| {
        format!(
            "gateway {gateway} of pool gpu1-pool does not answer {of}; see whether the port's switch carries its VLAN, and \
             whether spec.gateway of the pool is right"
        )
    };
    let (four, six) = (text("172.16.1.30", "172.16.1.2"), text("fd00:1::fe", "fd00:1::2"));
    for (four_by, told) in [("172.16.1.1", six.clone()), ("172.16.1.30", format!("{four}; {six}"))] {
        let ips = vec![address("172.16.1.2/27", four_by), address("fd00:1::2/64", "fd00:1::fe")];
        let Attempt { added, took, released } = add(&rail, ips, 200);
        let error = added.unwrap_err();
        assert_eq!(
            (error.code, error.msg),
            (CniError::GATEWAY_UNREACHABLE, format!("net1 of pod ai/job-0: {told}"))
        );
        assert_eq!(released, []);
        assert!(took < Duration::from_millis(400), "{took:?}");
    }
}

/// The first two questions are lost, as on a switch port that has just come up.
pub(crate) fn of_a_gateway_that_answers_late_are_handed_out() {
    let rail = Rail::new();
    let mut ips = vec![address("172.16.1.2/27", "172.16.1.7")];
    ips[0]["enableIPConflictDetection"] = json!(false);
    let here = Namespace::of_this_thread().unwrap();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(45));
        here.run(|| {
            let mut socket = Socket::open(Protocol::Route).unwrap();
            let wire = socket.link("wire").unwrap().unwrap().index;
            socket.add_address(wire, "172.16.1.7/27".parse().unwrap()).unwrap();
        })
        .unwrap();
    });
    let attempt = add(&rail, ips, 200);
    late.join().unwrap();
    assert_eq!(attempt.added.unwrap().ips.len(), 1);
    eprintln!("a gateway that came after 45 ms found after {:?}", attempt.took);
}

/// As a device that is bound to vfio: nothing can be looked for, and the pod gets its addresses.
pub(crate) fn without_an_interface_are_handed_out() {
    let rail = Rail::new();
    rail.ip("link delete net1");
    let attempt = add(&rail, vec![address("172.16.1.2/27", "172.16.1.30")], 200);
    assert_eq!(attempt.added.unwrap().ips.len(), 1);
}

/// The kernel at the other end knows the holder before; it sends to the new one at once.
pub(crate) fn are_announced_to_everybody() {
    let rail = Rail::new();
    for (version, at) in [("-4", "172.16.1.2"), ("-6", "fd00:1::2")] {
        ip(&format!("{version} neighbour add {at} lladdr 02:00:00:00:00:99 nud stale dev wire"));
    }
    let mut wire = Port::open(&Namespace::of_this_thread().unwrap(), "wire").unwrap();
    let answer = Answer::read(
        &json!({"ips": [{"address": "172.16.1.2/27"}, {"address": "fd00:1::2/64"}]}),
        railweave_cni::spec::Version::NEWEST,
    )
    .unwrap();
    let started = Instant::now();
    ipam::announce(&rail.call("ADD", &json!({})), &answer);
    eprintln!("two addresses announced in {:?}, with the link from off to carrier", started.elapsed());

    assert!(wire.wait_for_carrier(Duration::ZERO).unwrap());
    let shown = rail.ip("-o link show net1");
    let own = shown.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
    let hardware: Vec<u8> = own.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let mut heard = Vec::new();
    while let Some(packet) = wire.receive(Instant::now() + Duration::from_millis(50)).unwrap() {
        heard.push(packet);
    }
    let expected = [
        Packet::Arp(Arp::announcement(&hardware, "172.16.1.2".parse().unwrap())),
        Packet::Advertisement(Advertisement {
            target: "fd00:1::2".parse().unwrap(),
            hardware: Some(hardware.clone()),
        }),
    ];
    for packet in expected {
        assert!(heard.contains(&packet), "{packet:?} is not in {heard:?}");
    }
    for at in ["172.16.1.2", "fd00:1::2"] {
        let known = ip(&format!("neighbour show to {at} dev wire"));
        assert!(known.contains(own), "{known}");
    }
}

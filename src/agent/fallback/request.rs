use std::sync::Arc;
use std::time::Duration;

use railweave_cni::wire::AddArgs;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::agent::attach::serves;
use crate::allocator::PodFacts;
use crate::api::AllocationDetail;
use crate::catalog::ObjectKey;
use crate::ipam::{Attachment, Held, Holder};
use crate::net::Address;

/// A pod that needs addresses for an interface, and who asks.
pub(in crate::agent) struct Request {
    pub(super) pod: PodFacts,
    pub(super) holder: Holder,
    pub(super) rail: Rail,
    /// Records that were written for it.
    pub(super) took: Vec<Held>,
    since: Instant,
    deadline: Instant,
    /// None once it is answered.
    reply: Option<oneshot::Sender<Answer>>,
}

/// The addresses of the pod, or what the plugin prints.
type Answer = Result<Vec<AllocationDetail>, String>;

/// The interface that is being attached.
pub(in crate::agent) struct Rail {
    pub(super) interface: Arc<str>,
    ipv4: Vec<String>,
    ipv6: Vec<String>,
    clean_gateway: bool,
    match_master: bool,
    /// Addresses of the port behind the device that was given, where they matter.
    master: Option<Vec<Address>>,
}

impl Request {
    pub(in crate::agent) fn new(
        pod: PodFacts,
        holder: Holder,
        rail: Rail,
        deadline: Instant,
        reply: oneshot::Sender<Answer>,
    ) -> Self {
        Self { pod, holder, rail, took: Vec::new(), since: Instant::now(), deadline, reply: Some(reply) }
    }

    /// How long it has waited.
    pub(super) fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether somebody still waits for the answer.
    pub(super) fn still_asks(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        if let Some(reply) = self.reply.take() {
            // The plugin may have gone away; the kubelet asks again.
            let _ = reply.send(answer);
        }
    }

    /// Whether its time is not up yet.
    pub(super) fn has_time(&self) -> bool {
        self.deadline > Instant::now() + super::GATHER
    }
}

impl Rail {
    pub(in crate::agent) fn of(args: &AddArgs, master: Option<Vec<Address>>) -> Self {
        Self {
            interface: args.if_name.as_str().into(),
            ipv4: args.default_ipv4_pools.clone().unwrap_or_default(),
            ipv6: args.default_ipv6_pools.clone().unwrap_or_default(),
            clean_gateway: args.clean_gateway,
            match_master: args.match_master_subnet,
            master,
        }
    }

    /// Whether these addresses are an answer.
    pub(super) fn is_served(&self, details: &[AllocationDetail]) -> bool {
        serves(details, &self.interface, self.master.as_deref())
    }

    /// The interface, if what was said of it before may be of another port.
    pub(super) fn replaces(&self) -> Option<&str> {
        self.master.is_some().then_some(&*self.interface)
    }

    /// Adds what the plugin said to the pod's attachments. A network that is none of ours, but has our IPAM in its
    /// configuration, is known by that only.
    pub(super) fn join(&self, attachments: &mut Vec<Attachment>, selected: &[(ObjectKey, String)]) {
        if let Some(known) = attachments.iter_mut().find(|known| known.interface == self.interface) {
            known.clean_gateway |= self.clean_gateway;
            known.master.clone_from(&self.master);
            return;
        }
        let network = selected.iter().find(|(_, interface)| **interface == *self.interface);
        attachments.push(Attachment {
            interface: self.interface.clone(),
            network: network.map(|(network, _)| network.clone()).unwrap_or_default(),
            ipv4: self.ipv4.clone(),
            ipv6: self.ipv6.clone(),
            match_master: self.match_master,
            clean_gateway: self.clean_gateway,
            resource: None,
            master: self.master.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rail() -> Rail {
        let args = AddArgs {
            if_name: "net2".into(),
            default_ipv4_pools: Some(vec!["mine".into()]),
            clean_gateway: true,
            ..AddArgs::default()
        };
        Rail::of(&args, None)
    }

    #[test]
    fn a_network_of_ours_keeps_its_pools_and_one_of_others_has_those_of_the_plugin() {
        let ours =
            Attachment { interface: "net2".into(), ipv4: vec!["ours".into()], ..Attachment::default() };
        let mut attachments = vec![ours];
        rail().join(&mut attachments, &[]);
        assert_eq!(attachments.len(), 1);
        assert_eq!((&*attachments[0].ipv4[0], attachments[0].clean_gateway), ("ours", true));

        let network = ObjectKey { namespace: "team".into(), name: "by-hand".into() };
        let mut attachments = Vec::new();
        rail().join(&mut attachments, &[(network.clone(), "net2".into())]);
        assert_eq!(attachments.len(), 1);
        assert_eq!((&*attachments[0].ipv4[0], &attachments[0].network), ("mine", &network));
    }
}

//! Files in `/dev/infiniband`, whose numbers a move changes.
//!
//! A move takes a device's character devices away and makes new ones with the lowest numbers that are free at that moment
//! (`uverbs_main.c`, `user_mad.c`). A device plugin named them to the kubelet before, and the container gets what it named.
//! Two things help, and the first is the cure:
//!
//! - A device plugin that hands the device out by CDI (`railweave.io/rdma=DEVICE`) puts a specification of it into
//!   `/var/run/cdi`. It is read when a container is made, which is after ADD: ADD writes the numbers of the moment into it.
//! - Without one, moves go one after the other, so that a device gets the number back that it just left, unless a lower one
//!   was free. Then the ADD is refused if the kubelet gave the pod another file: it would find no device, or a foreign one.

use std::path::PathBuf;

use serde_json::json;

use crate::functions::Node;
use crate::kernel::{Kernel, Place};
use crate::rdma::{CharDevice, RdmaDevice};
use crate::spec::{Call, CniError};
use crate::state::{Lock, State, StateError};

use super::Device;

/// The files of a device.
pub(in crate::plugins) struct Nodes<'a> {
    device: &'a Device,
}

impl<'a> Nodes<'a> {
    /// Of this device.
    pub(in crate::plugins) fn of(device: &'a Device) -> Self {
        Self { device }
    }

    /// Held while a device moves whose number matters.
    pub(in crate::plugins) fn lock(&self, state: &State) -> Result<Option<Lock>, StateError> {
        if self.has_specification(state) { Ok(None) } else { state.lock_rdma().map(Some) }
    }

    /// After the device moved or was made anew: the pod's containers will have the right files.
    pub(in crate::plugins) fn follow(
        &self,
        node: &mut Node<'_>,
        call: &Call,
        pod: Place,
        moved: &RdmaDevice,
    ) -> Result<(), CniError> {
        let files = node.kernel.char_devices(pod, moved)?;
        if self.has_specification(&node.state) {
            return Ok(self.write_specification(&node.state, &files)?);
        }
        let Some(verbs) = files.iter().find(|file| file.name.starts_with("uverbs")) else { return Ok(()) };
        let given = given_by_kubelet(&node.state, call.args.pod_uid());
        if given.is_empty() || given.contains(&verbs.name) {
            return Ok(());
        }
        Err(CniError::new(
            CniError::TRY_AGAIN,
            format!(
                "RDMA device {} of {} has become /dev/infiniband/{} by its move into the pod, and the kubelet gave the pod {}: \
                 delete the pod, so that its successor is given the right one, or have the device plugin hand out devices by \
                 CDI (docs/cni.md, rdma)",
                moved.name,
                self.device,
                verbs.name,
                given.join(", ")
            ),
        ))
    }

    /// When the device is home.
    pub(in crate::plugins) fn return_home(
        &self,
        state: &State,
        kernel: &mut dyn Kernel,
    ) -> Result<(), CniError> {
        if !self.has_specification(state) {
            return Ok(());
        }
        let names = self.device.names(kernel)?;
        let home = kernel.rdma_devices(Place::HOST)?.into_iter().find(|found| names.contains(&found.name));
        let files = match home {
            Some(home) => kernel.char_devices(Place::HOST, &home)?,
            None => Vec::new(),
        };
        Ok(self.write_specification(state, &files)?)
    }

    fn has_specification(&self, state: &State) -> bool {
        state.path(self.specification()).exists()
    }

    fn specification(&self) -> PathBuf {
        format!("var/run/cdi/railweave.io-rdma_{}.json", self.device).into()
    }

    fn write_specification(&self, state: &State, files: &[CharDevice]) -> Result<(), StateError> {
        let mut nodes: Vec<_> = files
            .iter()
            .map(|CharDevice { name, major, minor }| {
                json!({"path": format!("/dev/infiniband/{name}"), "type": "c", "major": major, "minor": minor})
            })
            .collect();
        // For connections by address; it is one for all devices.
        if state.path("dev/infiniband/rdma_cm").exists() {
            nodes.push(json!({"path": "/dev/infiniband/rdma_cm"}));
        }
        let specification = json!({
            "cdiVersion": "0.5.0",
            "kind": "railweave.io/rdma",
            "devices": [{"name": self.device.to_string(), "containerEdits": {"deviceNodes": nodes}}],
        });
        state.write_json(&self.specification(), &specification)
    }
}

/// Names of the `uverbs` files that the kubelet gave a pod, from its own notes; none where that is not known. Their form
/// (`pkg/kubelet/cm/devicemanager/checkpoint`) has been the same since Kubernetes 1.20.
fn given_by_kubelet(state: &State, pod_uid: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Checkpoint {
        data: Data,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Data {
        pod_device_entries: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        #[serde(rename = "PodUID")]
        pod: String,
        /// A message of the device plugin API, in base64.
        #[serde(rename = "AllocResp")]
        response: Option<String>,
    }
    if pod_uid.is_empty() {
        return Vec::new();
    }
    let path = state.path("var/lib/kubelet/device-plugins/kubelet_internal_checkpoint");
    let Ok(bytes) = std::fs::read(path) else { return Vec::new() };
    let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(&bytes) else { return Vec::new() };
    let entries = checkpoint.data.pod_device_entries.into_iter().filter(|entry| entry.pod == pod_uid);
    let mut given: Vec<String> =
        entries.filter_map(|entry| entry.response).flat_map(|text| verbs_in(&decode(&text))).collect();
    given.sort_unstable();
    given.dedup();
    given
}

/// Whatever the message says of such files, it names them by their path on the host.
fn verbs_in(message: &[u8]) -> Vec<String> {
    const PREFIX: &str = "/dev/infiniband/uverbs";
    let text = String::from_utf8_lossy(message);
    let parts = text.split(PREFIX).skip(1);
    let number = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
    parts.map(number).filter(|number| !number.is_empty()).map(|number| format!("uverbs{number}")).collect()
}

/// Base64; what is none ends it.
fn decode(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for six in text.bytes().map_while(value) {
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

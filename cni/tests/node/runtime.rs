//! What a container runtime and Multus do: run the plugins of a list one after another by the rules of the CNI
//! specification, hand the result on, and in reverse for a DEL.

use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::home::Function;
use crate::pod::Pod;

/// Where the plugins are: ours, and those of others that ours may run.
const FOLDERS: &str = "/opt/cni/bin:/usr/lib/cni";

/// One interface of one sandbox.
#[derive(Clone)]
pub(crate) struct Attachment {
    pod: String,
    container: String,
    netns: Option<String>,
    ifname: String,
    list: Value,
    answer: Option<Value>,
}

/// The chain of one rail as a network is rendered, with these fields more for `sriov`.
pub(crate) fn chain(function: &Function, more: &Value) -> Value {
    let mut sriov = json!({
        "type": "sriov", "deviceID": function.pci,
        "ipam": {"type": "spiderpool", "default_ipv4_ippool": [format!("pool-{}", function.port + 1)]},
    });
    sriov.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let rdma = json!({"type": "rdma", "deviceID": function.pci});
    let coordinator = json!({"type": "coordinator"});
    json!({
        "cniVersion": "1.1.0", "name": format!("rail{}", function.port), "plugins": [sriov, rdma, coordinator],
    })
}

/// The virtual function alone, without addresses.
pub(crate) fn alone(function: &Function, more: &Value) -> Value {
    let mut list = chain(function, more);
    let plugins = list["plugins"].as_array_mut().unwrap();
    plugins.truncate(1);
    plugins[0].as_object_mut().unwrap().remove("ipam");
    list
}

impl Attachment {
    pub(crate) fn new(pod: &Pod, ifname: &str, list: Value) -> Self {
        Self {
            pod: pod.name().to_owned(),
            container: format!("sandbox-of-{}", pod.name()),
            netns: Some(pod.path()),
            ifname: ifname.to_owned(),
            list,
            answer: None,
        }
    }

    /// The same without a network namespace, as a runtime that has lost it.
    pub(crate) fn without_netns(mut self) -> Self {
        self.netns = None;
        self
    }

    /// Its name in a list of valid attachments.
    pub(crate) fn valid(&self) -> Value {
        json!({"containerID": self.container, "ifname": self.ifname})
    }

    /// The configuration of one plugin of the list, as it gets it.
    pub(crate) fn config(&self, plugin: usize) -> Value {
        let mut config = self.list["plugins"][plugin].clone();
        config["cniVersion"] = self.list["cniVersion"].clone();
        config["name"] = self.list["name"].clone();
        config
    }

    fn plugins(&self) -> std::ops::Range<usize> {
        0..self.list["plugins"].as_array().unwrap().len()
    }

    /// Attaches; the answer of the last plugin, or the error of the one that failed. As a runtime does, nothing is undone.
    pub(crate) fn add(&mut self) -> Result<Value, Value> {
        let mut answer = None;
        for plugin in self.plugins() {
            answer = Some(self.try_one(plugin, answer)?);
        }
        self.answer.clone_from(&answer);
        Ok(answer.unwrap())
    }

    /// ADD of one plugin, after those before it have answered.
    pub(crate) fn add_one(&mut self, plugin: usize, answer: Option<Value>) -> Value {
        let answer = self.try_one(plugin, answer).unwrap();
        self.answer = Some(answer.clone());
        answer
    }

    fn try_one(&self, plugin: usize, answer: Option<Value>) -> Result<Value, Value> {
        let mut config = self.config(plugin);
        if let Some(answer) = answer {
            config["prevResult"] = answer;
        }
        outcome(self.run("ADD", &config))
    }

    /// Detaches; goes on after an error, and returns the first.
    pub(crate) fn del(&self) -> Result<(), Value> {
        let mut done = Ok(());
        for plugin in self.plugins().rev() {
            let outcome = self.del_one(plugin);
            done = done.and(outcome);
        }
        done
    }

    /// DEL of one plugin.
    pub(crate) fn del_one(&self, plugin: usize) -> Result<(), Value> {
        outcome(self.run("DEL", &self.with_answer(plugin))).map(|_| ())
    }

    /// Compares; the first complaint.
    pub(crate) fn check(&self) -> Result<(), Value> {
        self.plugins()
            .try_for_each(|plugin| outcome(self.run("CHECK", &self.with_answer(plugin))).map(|_| ()))
    }

    /// The configuration of a plugin after ADD.
    pub(crate) fn with_answer(&self, plugin: usize) -> Value {
        let mut config = self.config(plugin);
        if let Some(answer) = &self.answer {
            config["prevResult"] = answer.clone();
        }
        config
    }

    fn run(&self, command: &str, config: &Value) -> Output {
        self.start(command, config).wait_with_output().unwrap()
    }

    /// Runs a plugin under another program, whose words come before those of the plugin.
    pub(crate) fn run_under(&self, words: &[&str], command: &str, config: &Value) -> Result<Value, Value> {
        let plugin = program(config);
        let mut under = Command::new(words[0]);
        under.args(&words[1..]).arg(plugin);
        outcome(self.start_as(under, command, config).wait_with_output().unwrap())
    }

    /// Starts a plugin, and does not wait for it.
    pub(crate) fn start(&self, command: &str, config: &Value) -> Child {
        self.start_as(Command::new(program(config)), command, config)
    }

    fn start_as(&self, plugin: Command, command: &str, config: &Value) -> Child {
        let pod = format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={0};K8S_POD_UID=uid-of-{0};K8S_POD_INFRA_CONTAINER_ID={1}",
            self.pod, self.container
        );
        let mut plugin = called(plugin);
        plugin
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", &self.container)
            .env("CNI_IFNAME", &self.ifname);
        plugin.env("CNI_ARGS", pod);
        if let Some(netns) = &self.netns {
            plugin.env("CNI_NETNS", netns);
        }
        feed(plugin, config)
    }
}

/// STATUS of every plugin of a list: the first complaint.
pub(crate) fn status(list: &Value) -> Result<(), Value> {
    each(list, "STATUS", &Value::Null)
}

/// GC by every plugin of a list, with these attachments alive.
pub(crate) fn collect(list: &Value, valid: &[Value]) -> Result<(), Value> {
    each(list, "GC", &json!(valid))
}

fn each(list: &Value, command: &str, valid: &Value) -> Result<(), Value> {
    list["plugins"].as_array().unwrap().iter().try_for_each(|one| {
        let mut config = one.clone();
        config["cniVersion"] = list["cniVersion"].clone();
        config["name"] = list["name"].clone();
        // Neither is about one device.
        config.as_object_mut().unwrap().remove("deviceID");
        if !valid.is_null() {
            config["cni.dev/valid-attachments"] = valid.clone();
        }
        let mut plugin = called(Command::new(program(&config)));
        plugin.env("CNI_COMMAND", command);
        outcome(feed(plugin, &config).wait_with_output().unwrap()).map(|_| ())
    })
}

fn program(config: &Value) -> String {
    format!("/opt/cni/bin/{}", config["type"].as_str().unwrap())
}

/// As a runtime calls it.
fn called(mut plugin: Command) -> Command {
    plugin.env_clear().env("CNI_PATH", FOLDERS).env("PATH", "/usr/sbin:/usr/bin");
    plugin.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    plugin
}

fn feed(mut plugin: Command, config: &Value) -> Child {
    let mut child = plugin.spawn().unwrap();
    // One that is killed, or refuses early, does not read.
    let _ = child.stdin.take().unwrap().write_all(config.to_string().as_bytes());
    child
}

/// The result on standard output, or the error there.
fn outcome(output: Output) -> Result<Value, Value> {
    let Output { status, stdout, stderr } = output;
    let printed = String::from_utf8(stdout).unwrap();
    if status.success() && printed.is_empty() {
        return Ok(Value::Null);
    }
    let parsed = serde_json::from_str(&printed);
    assert!(parsed.is_ok(), "{status}: {printed:?} {}", String::from_utf8_lossy(&stderr));
    let printed = parsed.unwrap();
    if status.success() { Ok(printed) } else { Err(printed) }
}

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Answer, Args, CniError, Version};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Attach an interface.
    Add,
    /// Detach it.
    Del,
    /// Compare it with its result.
    Check,
    /// Tell whether an ADD would work.
    Status,
    /// Remove what is not in the list of what is valid.
    Gc,
    /// Tell the supported versions.
    Version,
}

impl Command {
    /// From `CNI_COMMAND`.
    pub fn parse(text: &str) -> Result<Self, CniError> {
        match text {
            "ADD" => Ok(Self::Add),
            "DEL" => Ok(Self::Del),
            "CHECK" => Ok(Self::Check),
            "STATUS" => Ok(Self::Status),
            "GC" => Ok(Self::Gc),
            "VERSION" => Ok(Self::Version),
            "" => Err(environment(
                "CNI_COMMAND is not set; a container runtime sets it, see `railweave-cni help`",
            )),
            _ => Err(environment(format!(
                "CNI_COMMAND {text:?} is unknown; write ADD, DEL, CHECK, STATUS, GC or VERSION"
            ))),
        }
    }

    /// As in `CNI_COMMAND`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Status => "STATUS",
            Self::Gc => "GC",
            Self::Version => "VERSION",
        }
    }

    /// The first version of the specification that has it.
    fn since(self) -> Version {
        match self {
            Self::Add | Self::Del | Self::Version => Version::V030,
            Self::Check => Version::V040,
            Self::Status | Self::Gc => Version::V110,
        }
    }

    /// Whether it is about one interface of one container.
    fn has_attachment(self) -> bool {
        matches!(self, Self::Add | Self::Del | Self::Check)
    }
}

/// What a runtime asks, validated: environment and standard input.
#[derive(Clone, Debug)]
pub struct Call {
    /// `CNI_COMMAND`
    pub command: Command,
    /// `CNI_CONTAINERID`; empty for STATUS and GC.
    pub container_id: String,
    /// `CNI_NETNS`; there for ADD and CHECK, a DEL may lack it.
    pub netns: Option<PathBuf>,
    /// `CNI_IFNAME`; empty for STATUS and GC.
    pub ifname: String,
    /// `CNI_ARGS`
    pub args: Args,
    /// `CNI_PATH`: where other plugins lie.
    pub path: Vec<PathBuf>,
    /// `cniVersion` of the configuration, in which the result is printed.
    pub version: Version,
    /// Standard input, whole.
    pub config: Value,
}

/// One interface of one container.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Attachment {
    /// `CNI_CONTAINERID` of its ADD.
    #[serde(rename = "containerID")]
    pub container_id: String,
    /// `CNI_IFNAME` of its ADD.
    pub ifname: String,
}

impl Call {
    /// Reads a question other than VERSION. `environment` gives the value of a variable.
    pub fn parse(environment: impl Fn(&str) -> Option<String>, stdin: &[u8]) -> Result<Self, CniError> {
        let variable = |name: &str| environment(name).unwrap_or_default();
        let command = Command::parse(&variable("CNI_COMMAND"))?;
        let (container_id, netns, ifname) =
            (variable("CNI_CONTAINERID"), variable("CNI_NETNS"), variable("CNI_IFNAME"));
        if command.has_attachment() {
            check_container_id(&container_id)?;
            check_ifname(&ifname)?;
            if command != Command::Del && netns.is_empty() {
                return Err(missing("CNI_NETNS", command));
            }
        }
        let config = read_config(stdin)?;
        let version = Version::of_config(config.get("cniVersion").and_then(Value::as_str))?;
        if version < command.since() {
            return Err(CniError::new(
                CniError::INCOMPATIBLE_VERSION,
                format!(
                    "{} needs cniVersion {}, the configuration has {version}",
                    command.as_str(),
                    command.since()
                ),
            ));
        }
        check_name(&config)?;
        let args = variable("CNI_ARGS");
        let args = if command == Command::Add { Args::parse(&args)? } else { Args::parse_loosely(&args) };
        let path =
            std::env::split_paths(&variable("CNI_PATH")).filter(|folder| folder.is_absolute()).collect();
        let netns = Some(PathBuf::from(netns)).filter(|path| !path.as_os_str().is_empty());
        Ok(Self { command, container_id, netns, ifname, args, path, version, config })
    }

    /// Name of the network.
    #[must_use]
    pub fn network(&self) -> &str {
        self.config.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    /// The configuration as the plugin's own type; keys that it does not have are passed over.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, CniError> {
        serde_path_to_error::deserialize(&self.config).map_err(|error| {
            let (path, reason) = (error.path().to_string(), error.into_inner());
            let field = if path == "." { String::new() } else { format!(" at {path}") };
            CniError::config(format!(
                "the configuration of network {:?} is wrong{field}: {reason}",
                self.network()
            ))
        })
    }

    /// What the plugins before this one in the chain made, or, in CHECK and DEL, the whole chain; none without `prevResult`.
    pub fn previous(&self) -> Result<Option<Answer>, CniError> {
        match self.config.get("prevResult") {
            None | Some(Value::Null) => Ok(None),
            // It is in the version of the configuration; where it names its own, that is the one it was printed in.
            Some(result) => match result.get("cniVersion").and_then(Value::as_str) {
                Some(version) if !version.is_empty() => {
                    Answer::read(result, Version::of_config(Some(version))?).map(Some)
                }
                _ => Answer::read(result, self.version).map(Some),
            },
        }
    }

    /// `prevResult` of a command that cannot do without.
    pub fn required_previous(&self) -> Result<Answer, CniError> {
        self.previous()?.ok_or_else(|| {
            CniError::config(format!(
                "the configuration of network {:?} has no prevResult, which {} needs; a plugin that makes the interface \
                 must stand before this one in the chain",
                self.network(),
                self.command.as_str(),
            ))
        })
    }

    /// What a GC must leave alone. A configuration without the list is refused: it does not mean that nothing is valid.
    pub fn valid_attachments(&self) -> Result<Vec<Attachment>, CniError> {
        const KEY: &str = "cni.dev/valid-attachments";
        // The name that release candidates of version 1.1 had; runtimes send both.
        let list = self.config.get(KEY).or_else(|| self.config.get("cni.dev/attachments"));
        let list = list.filter(|list| !list.is_null()).ok_or_else(|| {
            CniError::config(format!(
                "the configuration of network {:?} has no {KEY:?}; GC needs it",
                self.network()
            ))
        })?;
        Vec::deserialize(list).map_err(|error| {
            CniError::config(format!(
                "{KEY:?} of network {:?} is no list of attachments: {error}",
                self.network()
            ))
        })
    }
}

fn read_config(stdin: &[u8]) -> Result<Value, CniError> {
    let decode = |reason: String| CniError::new(CniError::DECODE, reason);
    let config: Value = serde_json::from_slice(stdin).map_err(|error| {
        decode(format!("failed to read the network configuration from standard input: {error}"))
    })?;
    if config.is_object() {
        Ok(config)
    } else {
        Err(decode("the network configuration is no JSON object".to_owned()))
    }
}

/// Names of networks become names of files.
fn check_name(config: &Value) -> Result<(), CniError> {
    let name = config.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        return Err(CniError::config("the network configuration has no name; set `name`"));
    }
    if !is_identifier(name) {
        return Err(CniError::config(format!(
            "the network configuration has the name {name:?}; {IDENTIFIER}"
        )));
    }
    Ok(())
}

const IDENTIFIER: &str =
    "it must begin with a letter or digit, and consist of letters, digits, '.', '_' and '-'";

fn check_container_id(id: &str) -> Result<(), CniError> {
    if id.is_empty() {
        return Err(environment("CNI_CONTAINERID is not set"));
    }
    if !is_identifier(id) {
        return Err(environment(format!("CNI_CONTAINERID is {id:?}; {IDENTIFIER}")));
    }
    Ok(())
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// As the kernel (`dev_valid_name`).
fn check_ifname(name: &str) -> Result<(), CniError> {
    if name.is_empty() {
        return Err(environment("CNI_IFNAME is not set"));
    }
    let valid = name.len() < 16
        && name != "."
        && name != ".."
        && !name.chars().any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control());
    if valid {
        return Ok(());
    }
    Err(environment(format!(
        "CNI_IFNAME is {name:?}; names of interfaces have 1 to 15 characters, without '/', ':' and spaces"
    )))
}

fn missing(name: &str, command: Command) -> CniError {
    environment(format!("{name} is not set; {} needs it", command.as_str()))
}

fn environment(msg: impl Into<String>) -> CniError {
    CniError::new(CniError::ENVIRONMENT, msg)
}

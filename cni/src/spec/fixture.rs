use serde_json::Value;

use super::Call;

/// The call that a runtime makes for `net1`: `keys` stand beside those of `config`, or in their place.
pub(crate) fn call(
    (command, container, pod): (&str, &str, &str),
    arguments: Option<&str>,
    mut config: Value,
    keys: &Value,
) -> Call {
    for (key, value) in keys.as_object().unwrap() {
        config[key] = value.clone();
    }
    let environment = |name: &str| match name {
        "CNI_COMMAND" => Some(command.to_owned()),
        "CNI_CONTAINERID" => Some(container.to_owned()),
        "CNI_NETNS" => Some(pod.to_owned()),
        "CNI_IFNAME" => Some("net1".to_owned()),
        "CNI_ARGS" => arguments.map(str::to_owned),
        _ => None,
    };
    Call::parse(environment, &serde_json::to_vec(&config).unwrap()).unwrap()
}

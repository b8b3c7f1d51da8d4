//! The chart's templates are the only place where the rights are written down; this fills them in as Helm would.

const CONTROLLER: &str = include_str!("../../charts/railweave/templates/rbac.yaml");
const AGENT: &str = include_str!("../../charts/railweave/templates/agent-rbac.yaml");

/// What the rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RbacOptions<'a> {
    /// Name of the controller's objects.
    pub name: &'a str,
    /// Name of the agent's objects.
    pub agent: &'a str,
    /// Namespace of the installation.
    pub namespace: &'a str,
    /// Name of the `ConfigMap`.
    pub config_map: &'a str,
}

/// `ServiceAccount`, `ClusterRole`, `Role` and their bindings, of the controller and of the agent.
#[must_use]
pub fn rbac(options: RbacOptions<'_>) -> String {
    let RbacOptions { name, agent, namespace, config_map } = options;
    format!(
        "{}---\n{}",
        fill(CONTROLLER, name, namespace, config_map),
        fill(AGENT, agent, namespace, config_map)
    )
}

fn fill(template: &str, name: &str, namespace: &str, config_map: &str) -> String {
    let mut text = String::new();
    for line in template.lines() {
        // The conditions hold with the chart's own values, which are meant here.
        if ["{{- $name", "{{- if ", "{{- end }}"].iter().any(|start| line.trim_start().starts_with(start)) {
            continue;
        }
        if line.contains("include \"railweave.metadata\"") {
            let suffix = between(line, "printf \"%s", '"').unwrap_or_default();
            text.extend(["  name: ", name, suffix, "\n"]);
            if !line.contains("\"clusterScoped\" true") {
                let namespace = between(line, "\"namespace\" \"", '"').unwrap_or(namespace);
                text.extend(["  namespace: ", namespace, "\n"]);
            }
            continue;
        }
        let line = line
            .replace("{{ $name }}", name)
            .replace("{{ .Release.Namespace }}", namespace)
            .replace("{{ .Values.global.configName }}", config_map);
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// What stands behind `start`, up to `end`.
fn between<'a>(line: &'a str, start: &str, end: char) -> Option<&'a str> {
    Some(line.split_once(start)?.1.split_once(end)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::documents;

    #[test]
    fn nothing_of_the_template_language_is_left() {
        let text = rbac(RbacOptions { name: "rw", agent: "node", namespace: "ns", config_map: "conf" });
        assert!(!text.contains("{{"), "{text}");
        let objects = documents(&text);
        let titles = objects.iter().map(|document| {
            let object = &document.content.as_ref().unwrap().value;
            let text = |field: &serde_json::Value| field.as_str().unwrap_or("-").to_owned();
            [text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"])]
        });
        assert_eq!(
            titles.collect::<Vec<_>>(),
            [
                ["ServiceAccount", "ns", "rw"],
                ["ClusterRole", "-", "rw"],
                ["ClusterRoleBinding", "-", "rw"],
                ["Role", "ns", "rw"],
                ["RoleBinding", "ns", "rw"],
                ["Role", "kube-system", "rw-cidrs"],
                ["RoleBinding", "kube-system", "rw-cidrs"],
                ["ServiceAccount", "ns", "node"],
                ["ClusterRole", "-", "node"],
                ["ClusterRoleBinding", "-", "node"],
                ["Role", "ns", "node"],
                ["RoleBinding", "ns", "node"],
            ]
        );
        for role in [&objects[3], &objects[10]] {
            let role = &role.content.as_ref().unwrap().value;
            assert_eq!(role["rules"][0]["resourceNames"][0], "conf");
        }
    }
}

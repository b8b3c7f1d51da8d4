//! The chart's template is the only place where the rights are written down; this fills it in as Helm would.

const TEMPLATE: &str = include_str!("../../charts/railweave/templates/rbac.yaml");

/// What the rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RbacOptions<'a> {
    /// Name of the objects of the installation.
    pub name: &'a str,
    /// Namespace of the installation.
    pub namespace: &'a str,
    /// Name of the `ConfigMap`.
    pub config_map: &'a str,
}

/// `ServiceAccount`, `ClusterRole`, `Role` and their bindings.
#[must_use]
pub fn rbac(options: RbacOptions<'_>) -> String {
    let RbacOptions { name, namespace, config_map } = options;
    let mut text = String::new();
    for line in TEMPLATE.lines() {
        // The conditions hold with the chart's own values, which are meant here.
        if ["{{- $name", "{{- if ", "{{- end }}"].iter().any(|start| line.trim_start().starts_with(start)) {
            continue;
        }
        if line.contains("include \"railweave.metadata\"") {
            text.push_str("  name: ");
            text.push_str(name);
            text.push('\n');
            if !line.contains("\"clusterScoped\" true") {
                text.push_str("  namespace: ");
                text.push_str(namespace);
                text.push('\n');
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::documents;

    #[test]
    fn nothing_of_the_template_language_is_left() {
        let text = rbac(RbacOptions { name: "rw", namespace: "ns", config_map: "conf" });
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
            ]
        );
        let role = &objects[3].content.as_ref().unwrap().value;
        assert_eq!(role["rules"][0]["resourceNames"][0], "conf");
    }
}

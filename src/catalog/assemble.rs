use super::compile::{Catalog, Identity};
use super::objects::{ConfigText, Objects};
use crate::api::settings::{CONFIG_KEY, Settings};
use crate::rules::{FieldError, Notice, settings};

/// Turns objects into catalogs, one after the other, and keeps the last good configuration while the
/// `ConfigMap` holds a bad one, or none, or is gone.
#[derive(Clone, Debug)]
pub struct Assembler {
    /// What the source has delivered; change it, then call [`Assembler::assemble`].
    pub objects: Objects,
    identity: Identity,
    defaults: Settings,
    config: ConfigState,
    in_force: Settings,
    notices: Vec<Notice>,
}

/// The state of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigState {
    /// What was last looked at.
    text: ConfigText,
    /// Counts the configurations that came into force.
    pub generation: u64,
    /// Why what the `ConfigMap` holds is not in force; the last good configuration is.
    pub errors: Vec<FieldError>,
}

impl Assembler {
    /// Starts without objects. `defaults` are in force until there is a `ConfigMap` that can be used.
    #[must_use]
    pub fn new(identity: Identity, defaults: Settings) -> Self {
        Self {
            objects: Objects::default(),
            identity,
            in_force: defaults.clone(),
            defaults,
            config: ConfigState::default(),
            notices: Vec::new(),
        }
    }

    /// Compiles the objects as they are now.
    #[must_use]
    pub fn assemble(&mut self) -> Catalog {
        if self.config.text != self.objects.config {
            self.reload();
        }
        let mut catalog = Catalog::compile(&self.objects, self.in_force.clone(), &self.identity);
        catalog.config = self.config.clone();
        catalog.config_notices.clone_from(&self.notices);
        catalog
    }

    fn reload(&mut self) {
        self.config.text.clone_from(&self.objects.config);
        let parsed = match &self.config.text {
            ConfigText::Text(text) => settings::parse(text, &self.defaults),
            ConfigText::Never => Ok((self.defaults.clone(), Vec::new())),
            // Nobody switches injection off by a slip: pods would start without their rails.
            ConfigText::NoKey => Err(vec![FieldError::required(
                CONFIG_KEY,
                format!("the ConfigMap's data has no key {CONFIG_KEY}; write it again"),
            )]),
            ConfigText::Gone => {
                Err(vec![FieldError::required(CONFIG_KEY, "the ConfigMap was deleted; create it again")])
            }
        };
        match parsed {
            Ok((settings, notices)) => {
                self.in_force = settings;
                self.notices = notices;
                self.config.errors.clear();
                self.config.generation += 1;
            }
            Err(errors) => self.config.errors = errors,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::catalog::ObjectKey;

    fn config_map(data: &Value) -> Value {
        json!({"kind": "ConfigMap", "metadata": {"namespace": "spiderpool", "name": "spiderpool-config"},
            "data": data})
    }

    fn with_injection() -> Assembler {
        let mut assembler = Assembler::new(Identity::default(), Settings::default());
        let data = json!({CONFIG_KEY: "podResourceInject: {enabled: true}"});
        assembler.objects.apply(&config_map(&data)).unwrap();
        let catalog = assembler.assemble();
        assert!(catalog.settings.inject.enabled);
        assert_eq!((catalog.config.generation, catalog.config.errors.len()), (1, 0));
        assembler
    }

    /// Errors of the configuration, after seeing that the last good one is in force all the same.
    fn refused(assembler: &mut Assembler) -> Vec<String> {
        let catalog = assembler.assemble();
        assert!(catalog.settings.inject.enabled, "the last good configuration");
        assert_eq!(catalog.config.generation, 1, "nothing new came into force");
        catalog.config.errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_config_map_that_lost_its_key_leaves_the_last_good_configuration_in_force() {
        let mut assembler = with_injection();
        for data in [json!({"other.yml": "podResourceInject: {enabled: false}"}), json!({}), Value::Null] {
            assert_eq!(assembler.objects.apply(&config_map(&data)), Ok(data.get("other.yml").is_some()));
            assert_eq!(
                refused(&mut assembler),
                ["conf.yml: Required value: the ConfigMap's data has no key conf.yml; write it again"]
            );
        }
        let data = json!({CONFIG_KEY: "podResourceInject: {enabled: false}"});
        assert_eq!(assembler.objects.apply(&config_map(&data)), Ok(true));
        let catalog = assembler.assemble();
        assert!(!catalog.settings.inject.enabled);
        assert_eq!((catalog.config.generation, catalog.config.errors.len()), (2, 0));
    }

    #[test]
    fn a_config_map_that_was_deleted_leaves_the_last_good_configuration_in_force() {
        let mut assembler = with_injection();
        let key = ObjectKey { namespace: "spiderpool".into(), name: "spiderpool-config".into() };
        assert!(assembler.objects.remove("ConfigMap", &key));
        assert!(!assembler.objects.remove("ConfigMap", &key), "once");
        assert_eq!(
            refused(&mut assembler),
            ["conf.yml: Required value: the ConfigMap was deleted; create it again"]
        );
    }

    #[test]
    fn without_a_config_map_from_the_start_the_defaults_are_in_force() {
        let mut assembler = Assembler::new(Identity::default(), Settings::default());
        assert!(!assembler.objects.remove("ConfigMap", &ObjectKey::default()));
        let catalog = assembler.assemble();
        assert_eq!(catalog.settings, Settings::default());
        assert_eq!((catalog.config.generation, catalog.config.errors.len()), (0, 0));
    }
}

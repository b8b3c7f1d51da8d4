use super::compile::{Catalog, Identity};
use super::objects::Objects;
use crate::api::settings::Settings;
use crate::rules::{FieldError, Notice, settings};

/// Turns objects into catalogs, one after the other, and keeps the last good configuration while the
/// `ConfigMap` holds a bad one.
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
    /// Text that was last looked at.
    text: Option<String>,
    /// Counts the configurations that came into force.
    pub generation: u64,
    /// Why the present text is not in force; the last good one is.
    pub errors: Vec<FieldError>,
}

impl Assembler {
    /// Starts without objects. `defaults` are in force until there is a `ConfigMap`, and again without it.
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
            Some(text) => settings::parse(text, &self.defaults),
            None => Ok((self.defaults.clone(), Vec::new())),
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

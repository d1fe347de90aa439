//! The ports of the web pages. They open, change and close with the configuration, as the other
//! doors of a master do.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::watch;

use super::doors::present;
use crate::config::{Config, Listen};
use crate::control::{Control, OpenPort};
use crate::logs::LogStore;
use crate::model::Zone;
use crate::net::listen::{Bound, Opened, open};
use crate::net::{Gatekeeper, Tasks};
use crate::web::Site;

/// The open ports of the web pages.
#[derive(Debug)]
pub(super) struct WebPorts {
    site: Site,
    ports: Vec<Port>,
    tasks: Tasks,
}

/// An open port.
#[derive(Debug)]
struct Port {
    address: Listen,
    bound: Bound,
    /// Dropping it closes the port.
    _site: watch::Sender<Site>,
}

/// The ports of a new configuration, ready to be opened.
#[derive(Debug)]
pub(super) struct Prepared {
    config: Arc<Config>,
    wanted: Vec<Listen>,
    new: Vec<(Listen, Opened)>,
}

impl WebPorts {
    /// Creates ports that are all closed. Their pages are served by `tasks`.
    pub(super) fn of(
        control: &Control,
        zone: Zone,
        logs: &LogStore,
        gatekeeper: &Arc<Gatekeeper>,
        tasks: Tasks,
    ) -> Self {
        Self {
            site: Site::new(
                control.clone(),
                control.config(),
                zone,
                logs.growing(),
                Arc::clone(gatekeeper),
                tasks.clone(),
            ),
            ports: Vec::new(),
            tasks,
        }
    }

    /// Opens the new ports of `config` without accepting connections.
    ///
    /// # Errors
    /// A port cannot be opened. Nothing has changed.
    pub(super) fn prepare(&self, config: &Arc<Config>) -> anyhow::Result<Prepared> {
        let wanted = config.web.as_ref().map_or(&[][..], |web| &web.port);
        let wanted = present(wanted);
        let mut new = Vec::new();
        let _served_there = self.tasks.enter();
        for address in &wanted {
            if !self.ports.iter().any(|port| port.address == *address) {
                let opened = open(address).context("cannot open the port of the web pages")?;
                new.push((address.clone(), opened));
            }
        }
        Ok(Prepared {
            config: Arc::clone(config),
            wanted,
            new,
        })
    }

    /// Opens and closes the prepared ports, and shows the new configuration. Returns the open
    /// ports.
    pub(super) fn commit(&mut self, prepared: Prepared) -> Vec<OpenPort> {
        let Prepared {
            config,
            wanted,
            new,
        } = prepared;
        self.site.configure(config);
        self.ports.retain(|port| wanted.contains(&port.address));
        for (address, opened) in new {
            let (cell, site) = watch::channel(self.site.clone());
            let bound = opened.serve(site, &self.tasks);
            self.ports.push(Port {
                address,
                bound,
                _site: cell,
            });
        }
        let ports = self.ports.iter();
        let open = ports.map(|port| OpenPort {
            configured: port.address.clone(),
            bound: format!("http://{}/", port.bound.for_people()),
        });
        open.collect()
    }

    /// The open addresses, as the configuration writes them.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &Listen> {
        self.ports.iter().map(|port| &port.address)
    }
}

//! Keeps the authority in force up to date and readiness true to it.

use crate::{
    clock::Clock,
    core::leaf::Lifetimes,
    current::CurrentAuthority,
    events::{Events, Occurrence},
    issuer_files::{Content, IssuerFiles, LoadError},
    metrics::Metrics,
};
use linkerd_controller::readiness::{Pending, Readiness};
use std::{convert::Infallible, time::Duration};

/// How often the files are looked at. Notifications are lost now and then; looking is not.
const POLL: Duration = Duration::from_secs(2);

/// An issuer with less life than this is as good as none: leaf certificates would be renewed all the time.
/// It is not the whole lifetime of a leaf, because an issuer that shortens certificates still serves, and
/// proxies cannot reach a service that is not ready.
const LEAST_LIFE: Duration = Duration::from_secs(60 * 60);

/// Looks at the issuer from time to time.
pub struct IssuerWatch {
    pub(crate) files: Option<Followed>,
    pub(crate) current: CurrentAuthority,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) clock: Clock,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
    pub(crate) unready: Option<(&'static str, Pending)>,
    pub(crate) is_short: bool,
}

/// Files that are followed.
pub struct Followed {
    files: IssuerFiles,
    probe_name: String,
    loaded: Content,
    refused: Option<Refused>,
}

struct Refused {
    content: Content,
    is_reported: bool,
}

impl Followed {
    /// Loads an authority for the first time.
    ///
    /// # Errors
    /// When the files hold none.
    pub fn load(
        files: IssuerFiles,
        probe_name: String,
        current: &CurrentAuthority,
        clock: &Clock,
    ) -> Result<Self, LoadError> {
        let loaded = files.read();
        current.set(loaded.authority(&probe_name, clock.now())?);
        Ok(Self { files, probe_name, loaded, refused: None })
    }
}

impl IssuerWatch {
    /// Looks at the issuer until it is dropped.
    pub async fn run(mut self) -> Result<(), Infallible> {
        loop {
            tokio::time::sleep(POLL).await;
            self.look();
        }
    }

    /// Takes over files that have changed, then sets readiness.
    pub fn look(&mut self) {
        self.follow();
        self.assess();
    }

    fn follow(&mut self) {
        let Some(followed) = &mut self.files else { return };
        let content = followed.files.read();
        if content == followed.loaded {
            followed.refused = None;
            return;
        }
        match content.authority(&followed.probe_name, self.clock.now()) {
            Ok(authority) => {
                tracing::info!(until = %authority.issuer().validity().not_after, "updated identity issuer");
                self.current.set(authority);
                followed.loaded = content;
                followed.refused = None;
                self.metrics.issuer_update("updated");
                self.events.emit(Occurrence::IssuerUpdated);
            }
            Err(error) => self.refuse(content, &error),
        }
    }

    /// Notes that files were refused, and says so when they have stayed the same for a while: those that
    /// are being written are read half, now and then.
    fn refuse(&mut self, content: Content, error: &LoadError) {
        let Some(followed) = &mut self.files else { return };
        match &mut followed.refused {
            Some(refused) if refused.content == content => {
                if !refused.is_reported {
                    refused.is_reported = true;
                    tracing::warn!(%error, "skipping issuer update; the issuer in force is kept");
                    self.metrics.issuer_update("refused");
                    self.events.emit(Occurrence::IssuerUpdateSkipped { error: error.to_string() });
                }
            }
            other => *other = Some(Refused { content, is_reported: false }),
        }
    }

    /// Sets readiness by the authority in force.
    fn assess(&mut self) {
        let now = self.clock.now();
        let Some(authority) = self.current.get() else {
            return self.set_unready(Some("identity issuer: none is loaded yet"));
        };
        let remaining = authority.remaining(now);
        let reason = match authority.verify(now) {
            Err(error) => {
                tracing::debug!(%error, "the issuer in force does not verify");
                Some("identity issuer: its certificates do not verify; replace the issuer")
            }
            Ok(()) if remaining < LEAST_LIFE.min(self.lifetimes.lifetime) => {
                Some("identity issuer: it is about to expire; replace it")
            }
            Ok(()) => None,
        };
        self.set_unready(reason);
        let is_short = remaining < self.lifetimes.lifetime / 2;
        if is_short && !self.is_short {
            let end = authority.issuer().chain_validity().not_after;
            tracing::warn!(%end, "the issuer ends soon, so that certificates are shortened; replace it");
        }
        self.is_short = is_short;
    }

    fn set_unready(&mut self, reason: Option<&'static str>) {
        if self.unready.as_ref().map(|(reason, _)| *reason) == reason {
            return;
        }
        if let Some(reason) = reason {
            tracing::error!(reason, "not ready");
        }
        self.unready = reason.map(|reason| (reason, self.readiness.hold(reason)));
    }
}

#[cfg(test)]
mod tests;

//! Keeps the authority in force up to date and readiness true to it.

use crate::{
    clock::Clock,
    core::{authority::Authority, leaf::Lifetimes},
    current::CurrentAuthority,
    events::{Events, Occurrence},
    issuer_files::{Content, IssuerFiles, LoadError},
    issuer_objects::Seen,
    metrics::Metrics,
};
use jiff::Timestamp;
use linkerd_controller::readiness::{Pending, Readiness};
use std::{convert::Infallible, time::Duration};
use tokio::sync::watch;

/// How often the files are looked at. Notifications are lost now and then; looking is not.
const POLL: Duration = Duration::from_secs(2);

/// A certificate with less life than this is of no use: by the time that a pod has started with it, it is over.
///
/// An issuer that cannot give more fails readiness. It does not when it merely shortens certificates, which
/// begins a whole leaf's life before its end: they are as good as long ones, proxies renew them in time, and a
/// service that is not ready is one that no proxy reaches, so that readiness would turn a day's warning into a
/// day's outage. The warning is an event, a log line and `identity_issuer_expires_soon`. Readiness is for the
/// replica whose files are older than those of others: it leaves the work to them before its certificates are
/// useless.
const LEAST_LEAF: Duration = Duration::from_secs(5 * 60);

/// How often the warning is repeated. A cluster deletes events after an hour.
const REPEAT: Duration = Duration::from_secs(30 * 60);

/// Looks at the issuer from time to time.
pub struct IssuerWatch {
    pub(crate) followed: Option<Followed>,
    pub(crate) current: CurrentAuthority,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) clock: Clock,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
    pub(crate) unready: Option<(&'static str, Pending)>,
    pub(crate) warned: Option<Warned>,
}

/// A warning that the issuer ends soon.
#[derive(Clone, Copy)]
pub(crate) struct Warned {
    at: Timestamp,
    is_below_half: bool,
}

/// Files and objects that are followed.
pub struct Followed {
    files: IssuerFiles,
    objects: watch::Receiver<Seen>,
    probe_name: String,
    loaded: Content,
    refused: Option<Refused>,
}

struct Refused {
    content: Content,
    is_reported: bool,
}

impl Followed {
    /// Loads an authority for the first time, from the files.
    ///
    /// # Errors
    /// When the files hold none.
    pub fn load(
        files: IssuerFiles,
        objects: watch::Receiver<Seen>,
        probe_name: String,
        current: &CurrentAuthority,
        clock: &Clock,
    ) -> Result<Self, LoadError> {
        let loaded = files.read();
        current.set(loaded.authority(&probe_name, clock.now())?);
        Ok(Self { files, objects, probe_name, loaded, refused: None })
    }

    fn read(&mut self) -> Content {
        let files = self.files.read();
        self.objects.borrow_and_update().over(files)
    }
}

impl IssuerWatch {
    /// Looks at the issuer until it is dropped.
    pub async fn run(mut self) -> Result<(), Infallible> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = seen(self.followed.as_mut()) => {}
            }
            self.look();
        }
    }

    /// Takes over credentials that have changed, then sets readiness.
    pub fn look(&mut self) {
        self.follow();
        self.assess();
    }

    fn follow(&mut self) {
        let Some(followed) = &mut self.followed else { return };
        let content = followed.read();
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

    /// Notes that credentials were refused, and says so when they have stayed the same for a while: files that
    /// are being written are read half, now and then.
    fn refuse(&mut self, content: Content, error: &LoadError) {
        let Some(followed) = &mut self.followed else { return };
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

    /// Sets readiness by the authority in force, and warns of its end.
    fn assess(&mut self) {
        let now = self.clock.now();
        let Some(authority) = self.current.get() else {
            return self.set_unready(Some("identity issuer: none is loaded yet"));
        };
        let reason = match authority.verify(now) {
            Err(error) => {
                tracing::debug!(%error, "the issuer in force does not verify");
                Some("identity issuer: its certificates do not verify; replace the issuer")
            }
            Ok(()) if authority.remaining(now) < LEAST_LEAF.min(self.lifetimes.lifetime / 2) => {
                Some("identity issuer: it is about to expire; replace it")
            }
            Ok(()) => None,
        };
        self.set_unready(reason);
        self.warn(&authority, now);
    }

    /// Warns when certificates are cut short, again when less than half is left, and then from time to time.
    fn warn(&mut self, authority: &Authority, now: Timestamp) {
        let remaining = authority.remaining(now);
        let is_soon = remaining < self.lifetimes.lifetime;
        self.metrics.issuer_expires_soon(is_soon);
        if !is_soon {
            self.warned = None;
            return;
        }
        let is_below_half = remaining < self.lifetimes.lifetime / 2;
        let is_told = self.warned.is_some_and(|warned| {
            let since = now.duration_since(warned.at).unsigned_abs();
            warned.is_below_half == is_below_half && since < REPEAT
        });
        if !is_told {
            let end = authority.end(now);
            tracing::warn!(%end, "the issuer ends soon, so that certificates are shortened; replace it");
            self.events.emit(Occurrence::IssuerExpiresSoon { end });
            self.warned = Some(Warned { at: now, is_below_half });
        }
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

/// Returns when something new was seen of the objects; never if none are watched.
async fn seen(followed: Option<&mut Followed>) {
    let is_seen = match followed {
        Some(followed) => followed.objects.changed().await.is_ok(),
        None => false,
    };
    if !is_seen {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;

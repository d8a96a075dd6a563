//! The authority in force.

use crate::core::authority::Authority;
use arc_swap::ArcSwapOption;
use std::{fmt, sync::Arc};

/// The authority in force, which requests read without a lock and reloads replace.
#[derive(Clone, Default)]
pub struct CurrentAuthority(Arc<ArcSwapOption<Authority>>);

impl CurrentAuthority {
    /// The authority in force; none before the first was loaded.
    pub fn get(&self) -> Option<Arc<Authority>> {
        self.0.load_full()
    }

    /// Puts an authority in force for the requests that come from now on.
    pub fn set(&self, authority: Authority) {
        self.0.store(Some(Arc::new(authority)));
    }
}

impl fmt::Debug for CurrentAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CurrentAuthority")
    }
}

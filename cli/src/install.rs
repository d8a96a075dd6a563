//! `linkerd install`.

mod charts;
mod template;

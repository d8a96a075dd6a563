//! The steps, in their order.

mod authorization;
mod certificates;
mod demo;
mod failure_policy;
mod install;
mod restarts;
mod scaling;
mod traffic;
mod uninstall;

use anyhow::Result;
use futures::future::BoxFuture;

use crate::mesh::Mesh;
use crate::report::Report;

pub use uninstall::clean;

/// One step.
pub struct Step {
    pub name: &'static str,
    /// Whether it judges traffic, which only a real proxy handles as the mesh promises.
    pub needs_real_proxy: bool,
    pub run: Run,
}

type Run = for<'a> fn(&'a Mesh, &'a mut Report) -> BoxFuture<'a, Result<()>>;

/// Every step. One may rely on those before it.
pub const STEPS: &[Step] = &[
    Step { name: "install", needs_real_proxy: false, run: |mesh, report| Box::pin(install::install(mesh, report)) },
    Step { name: "check", needs_real_proxy: false, run: |mesh, _| Box::pin(install::check(mesh)) },
    Step { name: "demo", needs_real_proxy: false, run: |mesh, report| Box::pin(demo::demo(mesh, report)) },
    Step { name: "certificates", needs_real_proxy: false, run: |mesh, _| Box::pin(certificates::certificates(mesh)) },
    Step { name: "diagnostics", needs_real_proxy: false, run: |mesh, _| Box::pin(demo::diagnostics(mesh)) },
    Step { name: "traffic", needs_real_proxy: true, run: |mesh, _| Box::pin(traffic::traffic(mesh)) },
    Step { name: "scaling", needs_real_proxy: true, run: |mesh, report| Box::pin(scaling::scaling(mesh, report)) },
    Step { name: "restarts", needs_real_proxy: false, run: |mesh, report| Box::pin(restarts::restarts(mesh, report)) },
    Step { name: "authorization", needs_real_proxy: true, run: |mesh, _| Box::pin(authorization::authorization(mesh)) },
    Step {
        name: "failure-policy",
        needs_real_proxy: false,
        run: |mesh, _| Box::pin(failure_policy::failure_policy(mesh)),
    },
    Step { name: "uninstall", needs_real_proxy: false, run: |mesh, _| Box::pin(uninstall::uninstall(mesh)) },
];

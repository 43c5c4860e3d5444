//! Which SmartModule a name means.

use fluvio::metadata::objects::Metadata;
use fluvio::metadata::smartmodule::{SmartModulePackageKey, SmartModuleSpec};

/// Whether a cluster's module goes by `name`, by the rule of its SPUs: it is the module's own name, or that of its package,
/// which `smdk load` makes, with any group and version unless `name` has them.
pub fn matches_name(module: &Metadata<SmartModuleSpec>, name: &str) -> bool {
    let package = module.spec.meta.as_ref().map(|meta| &meta.package);
    SmartModulePackageKey::from_qualified_name(name)
        .is_ok_and(|key| key.is_match(&module.name, package))
}

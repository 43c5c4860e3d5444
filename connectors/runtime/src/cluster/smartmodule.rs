//! Finding a SmartModule by its name.

use fluvio::metadata::objects::Metadata;
use fluvio::metadata::smartmodule::{SmartModulePackageKey, SmartModuleSpec};

/// Whether `name` means this SmartModule, by the rule of the SPUs: `name` is the module's own name or that of its package
/// (`smdk load` creates packages), with or without group and version.
pub fn matches_name(module: &Metadata<SmartModuleSpec>, name: &str) -> bool {
    let package = module.spec.meta.as_ref().map(|meta| &meta.package);
    SmartModulePackageKey::from_qualified_name(name)
        .is_ok_and(|key| key.is_match(&module.name, package))
}

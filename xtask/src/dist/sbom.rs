//! The parts of a release for machines: CycloneDX 1.6.

use serde_json::{Value, json};

use super::crates::{Crate, Crates};

/// The bill of materials. It has no time and no serial number, so that the same sources give the same file.
pub(super) fn bill(version: &str, crates: &Crates) -> Value {
    let (parts, needs): (Vec<_>, Vec<_>) = crates
        .all()
        .map(|(one, needs)| (component(one), dependency(one, &needs)))
        .unzip();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "coinlake-release",
                "name": "coinlake",
                "version": version,
                "licenses": [{ "expression": "Apache-2.0" }],
            },
        },
        "components": parts,
        "dependencies": needs,
    })
}

fn component(one: &Crate) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": one.reference(),
        "name": one.name,
        "version": one.version,
    });
    if !one.is_ours() {
        component["purl"] = json!(one.reference());
    }
    if let Some(license) = &one.license {
        // Old crates separate their licences by a slash.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(home) = &one.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": home }]);
    }
    component
}

fn dependency(one: &Crate, needs: &[&Crate]) -> Value {
    let mut needs: Vec<_> = needs.iter().map(|needed| needed.reference()).collect();
    needs.sort();
    needs.dedup();
    json!({ "ref": one.reference(), "dependsOn": needs })
}

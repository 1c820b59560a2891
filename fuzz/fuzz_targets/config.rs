//! A model's configuration: any JSON becomes a network or a reason why not.
#![no_main]

use frostline::hub::support::known;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(config) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    if let Ok(known) = known(&config) {
        assert!(known.architecture.tree().root().parameters() > 0);
        assert!(!known.architecture.cuts().is_empty());
    }
});

//! The header of a safetensors file. What this reader takes, the safetensors crate must take too.
#![no_main]

use frostline::hub::header::Header;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    // The first two bytes choose how much data follows the header.
    let (Some(data_bytes), Some(json)) = (data.get(..2), data.get(2..)) else { return };
    let data_bytes = u64::from(u16::from_le_bytes([data_bytes[0], data_bytes[1]]));
    let Ok(header) = Header::parse(json, 8 + json.len() as u64 + data_bytes) else { return };
    let _ = (header.parameters(), header.dtype());
    for config in [r#"{"architecture":"mobilenetv2_035"}"#] {
        let config = serde_json::from_str(config).expect("it is JSON");
        if let Ok((_, network)) = frostline::backbone::registry::describe(&config, Path::new("config.json")) {
            let _ = frostline::hub::support::check_header(network.as_ref(), &header);
        }
    }
});

//! The stream on which a CUDA device works.

use candle_core::{Device, Result};

/// CUDA device number `ordinal`, all of whose work is done in the order in which it was asked for, whichever thread
/// asks. Candle's own choice is a stream for each thread of the host: what one thread computes is then not ordered with
/// what another one reads of it, and while a batch is trained another thread computes the next one.
///
/// # Errors
/// This build has no CUDA, or there is no such device.
pub fn cuda_device(ordinal: usize) -> Result<Device> {
    let device = Device::new_cuda_with_stream(ordinal)?;
    #[cfg(feature = "cuda")]
    // SAFETY: events order the streams of a device, and this one has a single stream, which orders itself.
    unsafe {
        device.as_cuda_device()?.disable_event_tracking();
    }
    Ok(device)
}

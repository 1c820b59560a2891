//! Opens what computes, and says what is lacking where that fails.

use crate::nn::cuda_device;
use crate::problem::{Problem, Result};
use candle_core::{Device, Error};

/// The device called `name`, and the name that records keep.
///
/// # Errors
/// There is no device of this name, it is not there, or this build cannot use it.
pub(super) fn open(name: &str) -> Result<(Device, &'static str)> {
    match name {
        "cpu" => Ok((Device::Cpu, "cpu")),
        "cuda" => Ok((cuda_device(0).map_err(|e| unusable("cuda", e))?, "cuda")),
        "metal" => Ok((Device::new_metal(0).map_err(|e| unusable("metal", e))?, "metal")),
        _ => Err(Problem::input(
            format!("there is no device {name:?}"),
            "the devices are cpu, cuda and metal",
            "choose one of these",
        )),
    }
}

/// What is lacking for a device to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// This program was built without it.
    Build,
    /// A driver that fits this program; only CUDA tells that apart.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "no build without CUDA meets it"))]
    Driver,
    /// A device that the driver finds and that is free.
    Device,
}

fn unusable(name: &str, error: Error) -> Problem {
    let why = error.to_string().lines().next().unwrap_or_default().to_string();
    Problem::input(format!("the device {name:?} cannot be used"), why, remedy(name, lack(&error)))
}

fn remedy(name: &str, lack: Lack) -> String {
    let other = match lack {
        Lack::Build => format!("build with `cargo build --release --features {name}`"),
        Lack::Driver => "install a driver that is as new as this program".to_string(),
        Lack::Device if name == "cuda" => {
            "see with `nvidia-smi` whether the driver finds a device that is free; CUDA_VISIBLE_DEVICES can hide one"
                .to_string()
        }
        Lack::Device => "make sure that this machine has such a device".to_string(),
    };
    format!("use --device cpu, or {other}")
}

fn lack(error: &Error) -> Lack {
    match error {
        Error::WithBacktrace { inner, .. } => lack(inner),
        Error::NotCompiledWithCudaSupport | Error::NotCompiledWithMetalSupport => Lack::Build,
        #[cfg(feature = "cuda")]
        Error::Cuda(cause) if is_of_driver(cause.as_ref()) => Lack::Driver,
        _ => Lack::Device,
    }
}

/// Whether the driver refuses to work with this program, or with the rest of the system.
#[cfg(feature = "cuda")]
fn is_of_driver(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    use candle_core::cuda_backend::{CudaError, cudarc::driver::sys::CUresult};
    let refusals = [
        CUresult::CUDA_ERROR_STUB_LIBRARY,
        CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH,
        CUresult::CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE,
    ];
    matches!(cause.downcast_ref::<CudaError>(), Some(CudaError::Cuda(e)) if refusals.contains(&e.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_suits_what_is_lacking() {
        let words = |name, lack| remedy(name, lack);
        for name in ["cuda", "metal"] {
            assert!(words(name, Lack::Build).ends_with(&format!("--features {name}`")));
            for lack in [Lack::Driver, Lack::Device] {
                assert!(!words(name, lack).contains("build"), "it was built with {name}");
            }
            for lack in [Lack::Build, Lack::Driver, Lack::Device] {
                assert!(words(name, lack).starts_with("use --device cpu, or "));
            }
        }
        assert!(words("cuda", Lack::Driver).contains("driver"));
        assert!(words("cuda", Lack::Device).contains("nvidia-smi"));
        assert!(!words("metal", Lack::Device).contains("nvidia"));
    }

    #[test]
    fn errors_tell_what_is_lacking_behind_a_backtrace_too() {
        for error in [Error::NotCompiledWithCudaSupport, Error::NotCompiledWithMetalSupport] {
            assert_eq!(lack(&error), Lack::Build);
            let backtrace = Box::new(std::backtrace::Backtrace::force_capture());
            let inner = Box::new(error);
            assert_eq!(lack(&Error::WithBacktrace { inner, backtrace }), Lack::Build);
        }
        assert_eq!(lack(&Error::Cuda("no CUDA-capable device is detected".into())), Lack::Device);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_how_to_build_with_it() {
        let problem = open("cuda").unwrap_err();
        assert!(problem.why.contains("cuda"), "{problem}");
        assert!(problem.remedy.contains("--features cuda"), "{problem}");
    }

    /// With words of CUDA instead of a device: the tests of such a build may run where there is none.
    #[cfg(feature = "cuda")]
    #[test]
    fn a_build_with_cuda_tells_the_driver_from_the_device() {
        use candle_core::cuda_backend::{
            CudaError, cudarc::driver::DriverError, cudarc::driver::sys::CUresult,
        };
        let lack_of = |code| lack(&CudaError::Cuda(DriverError(code)).into());
        assert_eq!(lack_of(CUresult::CUDA_ERROR_NO_DEVICE), Lack::Device);
        assert_eq!(lack_of(CUresult::CUDA_ERROR_OUT_OF_MEMORY), Lack::Device);
        assert_eq!(lack_of(CUresult::CUDA_ERROR_STUB_LIBRARY), Lack::Driver);
        assert_eq!(lack_of(CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH), Lack::Driver);
    }

    #[test]
    fn an_unknown_name_lists_the_devices() {
        assert!(open("tpu").unwrap_err().why.contains("cpu, cuda and metal"));
    }
}

//! Where does a model compute, and in which numbers?

use candle_core::Device as CandleDevice;

use super::precision::Precision;
use crate::error::{Error, Result};

/// How a model computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backend {
    pub precision: Precision,
    pub device: Device,
}

/// What the products with weights run on. Analyses that look into a pass or change it run there too; gradients and
/// everything behind the logits run on the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor, by the loops of [`super::kernels`].
    #[default]
    Cpu,
    /// An Nvidia GPU, by candle; in builds with `--features cuda`.
    Cuda,
    /// An Apple GPU, by candle; in builds with `--features metal`.
    Metal,
}

impl Device {
    pub const ALL: [Device; 3] = [Device::Cpu, Device::Cuda, Device::Metal];

    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Device::Cpu => "cpu",
            Device::Cuda => "cuda",
            Device::Metal => "metal",
        }
    }

    fn is_built_in(self) -> bool {
        match self {
            Device::Cpu => true,
            Device::Cuda => cfg!(feature = "cuda"),
            Device::Metal => cfg!(feature = "metal"),
        }
    }
}

impl Backend {
    /// Candle's handle of the first such device; nothing for the CPU, which is used without candle.
    pub(super) fn open(self) -> Result<Option<CandleDevice>> {
        let Backend { precision, device } = self;
        if !device.is_built_in() {
            return Err(Error::DeviceNotBuiltIn { device: device.name() });
        }
        let opened = match device {
            Device::Cpu => return Ok(None),
            Device::Cuda => CandleDevice::new_cuda(0),
            Device::Metal => CandleDevice::new_metal(0),
        };
        let unavailable = |source: candle_core::Error| Error::NoSuchDevice {
            device: device.name(),
            reason: source.to_string(),
        };
        match precision {
            Precision::Int8 => Err(Error::Int8OnDevice { device: device.name() }),
            Precision::F32 | Precision::Bf16 => opened.map(Some).map_err(unavailable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_refused_by_name() {
        for device in [Device::Cuda, Device::Metal].into_iter().filter(|device| !device.is_built_in()) {
            let refused = Backend { device, ..Backend::default() }.open().expect_err("it is not built in");
            assert!(refused.to_string().contains(device.name()), "{refused}");
            assert!(refused.hint().is_some_and(|hint| hint.contains("--features")));
        }
        assert!(Backend::default().open().expect("the CPU is there").is_none());
    }
}

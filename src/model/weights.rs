//! A checkpoint's tensors by name, in `f32`: used where the file is mapped if it holds `f32`, else converted once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use candle_core::Device;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::ggml_file::qtensor_from_ggml;
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use super::kernels::Layout;
use crate::error::{Error, Result};

/// The tensors of one or several safetensors files.
pub struct Checkpoint {
    path: PathBuf,
    tensors: HashMap<String, Entry>,
    /// How the weights of linear layers lie in memory.
    layout: Layout,
    bytes: u64,
}

struct Entry {
    file: Arc<Bytes>,
    kind: Kind,
    shape: Vec<usize>,
    range: Range<usize>,
}

/// How a tensor's numbers are written.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// One after the other.
    Plain(Dtype),
    /// In llama.cpp's blocks.
    Blocks(GgmlDType),
}

/// The numbers of one tensor, row after row. Cheap to clone.
#[derive(Clone)]
pub struct Weight(Arc<Values>);

enum Values {
    Mapped { file: Arc<Bytes>, range: Range<usize> },
    Converted(Vec<f32>),
    Scaled(Scaled),
}

/// Whole numbers [rows, columns] times a scale for each row or for each column.
struct Scaled {
    file: Arc<Bytes>,
    range: Range<usize>,
    columns: usize,
    scales: Weight,
    by_row: bool,
    /// The products, made when somebody asks for them.
    widened: OnceLock<Vec<f32>>,
}

enum Bytes {
    BuiltIn(&'static [u8]),
    Mapped(Mapped),
}

/// A file, mapped into memory.
pub struct Mapped(memmap2::Mmap);

impl Mapped {
    pub fn open(path: &Path) -> Result<Mapped> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        // SAFETY: the map is read as plain bytes. If another program shortens the file while we read it,
        // the system ends us; models are not edited in place.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io("map", path))?;
        Ok(Mapped(map))
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Checkpoint {
    /// Maps the files (one, or the shards of one model).
    pub fn open(paths: &[PathBuf]) -> Result<Checkpoint> {
        let path = paths.first().cloned().unwrap_or_default();
        let mut checkpoint = Checkpoint::empty(path);
        for path in paths {
            checkpoint.add(path, Bytes::Mapped(Mapped::open(path)?))?;
        }
        Ok(checkpoint)
    }

    /// A safetensors file that is part of the program.
    pub fn built_in(name: &str, bytes: &'static [u8]) -> Result<Checkpoint> {
        let path = PathBuf::from(name);
        let mut checkpoint = Checkpoint::empty(path.clone());
        checkpoint.add(&path, Bytes::BuiltIn(bytes))?;
        Ok(checkpoint)
    }

    /// Tensors of a GGUF file: the name, the kind of numbers, the shape and where the first of them stands.
    pub fn of_blocks(
        path: &Path,
        file: Mapped,
        tensors: impl Iterator<Item = (String, GgmlDType, Vec<usize>, u64)>,
    ) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::empty(path.to_owned());
        checkpoint.layout = Layout::OutputsByInputs;
        checkpoint.bytes = file.as_slice().len() as u64;
        let file = Arc::new(Bytes::Mapped(file));
        for (name, dtype, shape, start) in tensors {
            let kind = match dtype {
                GgmlDType::F32 => Kind::Plain(Dtype::F32),
                GgmlDType::F16 => Kind::Plain(Dtype::F16),
                GgmlDType::BF16 => Kind::Plain(Dtype::BF16),
                blocks => Kind::Blocks(blocks),
            };
            let numbers = shape.iter().product::<usize>();
            let bytes = (numbers / dtype.block_size()).saturating_mul(dtype.type_size());
            let end = (start as usize).saturating_add(bytes);
            if end > file.as_slice().len() || !numbers.is_multiple_of(dtype.block_size()) {
                let reason = format!("`{name}` does not lie inside the file");
                return Err(Error::BrokenWeights { path: path.to_owned(), reason });
            }
            let entry = Entry { file: file.clone(), kind, shape, range: start as usize..end };
            checkpoint.tensors.insert(name, entry);
        }
        Ok(checkpoint)
    }

    fn empty(path: PathBuf) -> Checkpoint {
        Checkpoint { path, tensors: HashMap::new(), layout: Layout::InputsByOutputs, bytes: 0 }
    }

    fn add(&mut self, path: &Path, file: Bytes) -> Result<()> {
        let broken = |source: safetensors::SafeTensorError| Error::BrokenWeights {
            path: path.to_owned(),
            reason: source.to_string(),
        };
        let file = Arc::new(file);
        let bytes = file.as_slice();
        self.bytes += bytes.len() as u64;
        let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        // read_metadata looks at the header alone; this compares it with the length of the file.
        SafeTensors::deserialize(bytes).map_err(broken)?;
        for (name, info) in metadata.tensors() {
            // Hugging Face saves the language model's tensors with this prefix, the hub's gpt2 without.
            let short = name.strip_prefix("transformer.").unwrap_or(&name).to_owned();
            let (start, end) = info.data_offsets;
            let range = header + 8 + start..header + 8 + end;
            let (kind, shape) = (Kind::Plain(info.dtype), info.shape.clone());
            self.tensors.insert(short, Entry { file: file.clone(), kind, shape, range });
        }
        Ok(())
    }

    /// The size of the files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The tensor `name`, which must have this shape.
    pub fn weight(&self, name: &str, shape: &[usize]) -> Result<Weight> {
        let entry = self.entry(name)?;
        self.check_shape(name, &entry.shape, shape)?;
        let weight = match entry.kind {
            Kind::Plain(Dtype::I8) => self.scaled(name, entry)?,
            _ => Weight::new(entry),
        };
        weight.ok_or_else(|| Error::UnsupportedDtype {
            tensor: name.to_owned(),
            dtype: match entry.kind {
                Kind::Plain(dtype) => format!("{dtype:?}"),
                Kind::Blocks(dtype) => format!("{dtype:?}"),
            },
            path: self.path.clone(),
        })
    }

    /// Whole numbers [rows, columns] as the built-in model has them: times `….scales`, [rows, 1] or [1, columns].
    fn scaled(&self, name: &str, Entry { file, shape, range, .. }: &Entry) -> Result<Option<Weight>> {
        let &[rows, columns] = shape.as_slice() else { return Ok(None) };
        let scales_name = name.replace(".weight", ".scales");
        let by_row = self.entry(&scales_name)?.shape == [rows, 1];
        let scales = self.weight(&scales_name, &if by_row { [rows, 1] } else { [1, columns] })?;
        let (file, range) = (file.clone(), range.clone());
        let scaled = Scaled { file, range, columns, scales, by_row, widened: OnceLock::new() };
        Ok(Some(Weight(Arc::new(Values::Scaled(scaled)))))
    }

    /// The weight of a `Conv1D`, and how it lies in memory.
    pub fn conv1d(&self, name: &str, inputs: usize, outputs: usize) -> Result<(Weight, Layout)> {
        let shape = match self.layout {
            Layout::InputsByOutputs => [inputs, outputs],
            Layout::OutputsByInputs => [outputs, inputs],
        };
        Ok((self.weight(name, &shape)?, self.layout))
    }

    /// The ids that the rows of `wte.weight` belong to, ascending, if the checkpoint leaves out rows that are all
    /// zero, as the built-in one does.
    pub fn embedding_rows(&self, vocabulary: usize) -> Result<Option<Vec<u32>>> {
        let Ok(Entry { file, range, .. }) = self.entry("wte.rows") else { return Ok(None) };
        let ids: Vec<u32> = file.as_slice()[range.clone()]
            .as_chunks::<4>()
            .0
            .iter()
            .map(|id| u32::from_le_bytes(*id))
            .collect();
        match ids.last() {
            Some(&id) if id as usize >= vocabulary => {
                Err(Error::IdOutsideVocabulary { id: id.into(), size: vocabulary })
            }
            _ => Ok(Some(ids)),
        }
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.tensors
            .get(name)
            .ok_or_else(|| Error::MissingTensor { tensor: name.to_owned(), path: self.path.clone() })
    }

    fn check_shape(&self, name: &str, found: &[usize], expected: &[usize]) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        Err(Error::WrongShape {
            tensor: name.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
            path: self.path.clone(),
        })
    }
}

impl Weight {
    /// How many numbers it has.
    pub fn count(&self) -> usize {
        match &*self.0 {
            Values::Scaled(scaled) => scaled.numbers().len(),
            _ => self.len(),
        }
    }

    /// One of its rows, each of so many columns.
    pub fn row(&self, row: usize, columns: usize) -> Cow<'_, [f32]> {
        match &*self.0 {
            // A row or two are no reason to widen all.
            Values::Scaled(scaled) => scaled.row(row).into(),
            _ => self[row * columns..][..columns].into(),
        }
    }

    /// Its numbers in 8 bits and a scale for each output, if that is what it is made of.
    pub fn int8(&self, layout: Layout) -> Option<(&[i8], &[f32])> {
        match &*self.0 {
            Values::Scaled(scaled) if scaled.by_row == (layout == Layout::OutputsByInputs) => {
                Some((scaled.numbers(), &scaled.scales))
            }
            _ => None,
        }
    }

    /// Nothing if the tensor does not consist of numbers that can be read.
    fn new(Entry { file, kind, shape, range }: &Entry) -> Option<Weight> {
        let bytes = &file.as_slice()[range.clone()];
        let pairs = || bytes.as_chunks::<2>().0.iter();
        let dtype = match kind {
            Kind::Plain(dtype) => *dtype,
            Kind::Blocks(dtype) => return widened(*dtype, bytes, shape).map(Weight::from),
        };
        let values = match dtype {
            Dtype::F32
                if cfg!(target_endian = "little") && bytemuck::try_cast_slice::<u8, f32>(bytes).is_ok() =>
            {
                Values::Mapped { file: file.clone(), range: range.clone() }
            }
            Dtype::F32 => {
                Values::Converted(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
            }
            Dtype::F16 => Values::Converted(pairs().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
            Dtype::BF16 => Values::Converted(pairs().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()),
            _ => return None,
        };
        Some(Weight(Arc::new(values)))
    }
}

/// The numbers that blocks stand for.
fn widened(dtype: GgmlDType, bytes: &[u8], shape: &[usize]) -> Option<Vec<f32>> {
    let blocks = qtensor_from_ggml(dtype, bytes, shape.to_vec(), &Device::Cpu).ok()?;
    blocks.dequantize(&Device::Cpu).ok()?.flatten_all().ok()?.to_vec1().ok()
}

impl From<Vec<f32>> for Weight {
    fn from(numbers: Vec<f32>) -> Weight {
        Weight(Arc::new(Values::Converted(numbers)))
    }
}

impl Deref for Weight {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.0 {
            Values::Mapped { file, range } => bytemuck::cast_slice(&file.as_slice()[range.clone()]),
            Values::Converted(values) => values,
            Values::Scaled(scaled) => scaled.widened.get_or_init(|| scaled.widen()),
        }
    }
}

impl Scaled {
    fn numbers(&self) -> &[i8] {
        bytemuck::cast_slice(&self.file.as_slice()[self.range.clone()])
    }

    fn row(&self, row: usize) -> Vec<f32> {
        let numbers = self.numbers()[row * self.columns..][..self.columns].iter().map(|n| f32::from(*n));
        match self.by_row {
            true => numbers.map(|number| number * self.scales[row]).collect(),
            false => numbers.zip(&*self.scales).map(|(number, scale)| number * scale).collect(),
        }
    }

    fn widen(&self) -> Vec<f32> {
        (0..self.numbers().len() / self.columns).flat_map(|row| self.row(row)).collect()
    }
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::BuiltIn(bytes) => bytes,
            Bytes::Mapped(map) => map.as_slice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    #[test]
    fn whole_numbers_are_read_times_the_scale_of_their_row_or_column() {
        let numbers = [1_i8, -2, 127, 0, -127, 3].map(i8::cast_unsigned);
        let scales: Vec<u8> = [0.5_f32, 2.0, 10.0].iter().flat_map(|scale| scale.to_le_bytes()).collect();
        let view = |dtype, shape: &[usize], bytes| {
            TensorView::new(dtype, shape.to_vec(), bytes).expect("the shape fits the bytes")
        };
        let file = safetensors::serialize(
            [
                ("across.weight", view(Dtype::I8, &[2, 3], &numbers[..])),
                ("across.scales", view(Dtype::F32, &[1, 3], &scales[..])),
                ("down.weight", view(Dtype::I8, &[3, 2], &numbers[..])),
                ("down.scales", view(Dtype::F32, &[3, 1], &scales[..])),
                ("lone.weight", view(Dtype::I8, &[3, 2], &numbers[..])),
            ],
            None,
        );
        let file = file.expect("the tensors are written").leak();
        let checkpoint = Checkpoint::built_in("test", file).expect("the file is whole");
        let read = |name, shape: &[usize]| checkpoint.weight(name, shape).map(|weight| weight.to_vec());
        assert_eq!(read("across.weight", &[2, 3]).unwrap(), [0.5, -4.0, 1270.0, 0.0, -254.0, 30.0]);
        assert_eq!(read("down.weight", &[3, 2]).unwrap(), [0.5, -1.0, 254.0, 0.0, -1270.0, 30.0]);
        let down = checkpoint.weight("down.weight", &[3, 2]).expect("it was read before");
        assert_eq!(*down.row(1, 2), [254.0, 0.0]);
        assert!(read("lone.weight", &[3, 2]).unwrap_err().to_string().contains("lone.scales"));
    }
}

//! Repositories for the loopback Hub.

use super::{Content, Repo};
use frostline::backbone::registry;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A file of a bundled backbone.
pub fn bundled(relative: &str) -> Vec<u8> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/backbones").join(relative);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The bundled MobileNetV2 as timm keeps it on the Hub.
pub fn mobilenet() -> Repo {
    let files = [
        ("config.json", Content::of(bundled("mobilenetv2_100/config.json"))),
        ("model.safetensors", Content::of(bundled("mobilenetv2_100/model.safetensors"))),
        ("README.md", Content::of("---\nlicense: apache-2.0\n---\n# A model\n")),
        (".gitattributes", Content::of("*.safetensors filter=lfs\n")),
    ];
    Repo::new(
        "timm/mobilenetv2_100.ra_in1k",
        files,
        json!({"pipeline_tag": "image-classification", "library_name": "timm",
            "tags": ["timm", "safetensors", "image-classification", "license:apache-2.0"],
            "safetensors": {"parameters": {"F32": 3_504_872}, "total": 3_504_872}}),
    )
}

/// A file of `tests/goldens/hub`.
pub fn golden(name: &str) -> Content {
    Content::of(
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/hub").join(name)).unwrap(),
    )
}

/// A model whose only weights are in PyTorch's old format.
pub fn pickled(id: &str, weights: Content) -> Repo {
    let size = Size { vocabulary: 100, ..SMALL };
    let files = [
        ("config.json", Content::of(size.config().to_string())),
        // The network knows a hundred tokens; this tokenizer has fewer.
        ("tokenizer.json", golden("../brought/text/tokenizer.json")),
        ("pytorch_model.bin", weights),
    ];
    Repo::new(id, files, text_facts("bert"))
}

/// A BERT of one layer.
#[derive(Clone, Copy)]
pub struct Size {
    pub vocabulary: usize,
    pub hidden: usize,
    pub seed: u64,
}

/// About 1 MB of weights.
pub const SMALL: Size = Size { vocabulary: 30_522, hidden: 8, seed: 1 };
/// About 500 MB of weights.
pub const LARGE: Size = Size { vocabulary: 118_000, hidden: 1024, seed: 2 };

impl Size {
    pub fn config(self) -> Value {
        json!({
            "model_type": "bert", "architectures": ["BertModel"], "vocab_size": self.vocabulary,
            "hidden_size": self.hidden, "intermediate_size": 2 * self.hidden, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 64, "type_vocab_size": 2, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1, "layer_norm_eps": 1e-12,
        })
    }

    /// A weight file with made numbers.
    pub fn weights(self) -> Content {
        let (_, network) = registry::describe(&self.config(), Path::new("config.json")).unwrap();
        let (mut header, mut end) = (serde_json::Map::new(), 0);
        for tensor in network.tree().tensors() {
            let bytes = 4 * tensor.shape.iter().product::<usize>();
            let facts = json!({"dtype": "F32", "shape": tensor.shape, "data_offsets": [end, end + bytes]});
            header.insert(tensor.name.clone(), facts);
            end += bytes;
        }
        let mut json = Value::Object(header).to_string();
        while !json.len().is_multiple_of(8) {
            json.push(' ');
        }
        let mut head = (json.len() as u64).to_le_bytes().to_vec();
        head.extend(json.as_bytes());
        let bytes = (head.len() + end) as u64;
        Content::made(head, bytes, self.seed)
    }

    /// A repository that a person can train.
    pub fn repo(self, id: &str) -> Repo {
        let files = [
            ("config.json", Content::of(self.config().to_string())),
            ("model.safetensors", self.weights()),
            ("tokenizer.json", Content::of(bundled("all-MiniLM-L6-v2/tokenizer.json"))),
            ("1_Pooling/config.json", Content::of(r#"{"pooling_mode_mean_tokens": true}"#)),
            ("README.md", Content::of("---\nlicense: mit\n---\n")),
        ];
        Repo::new(id, files, text_facts("bert"))
    }
}

/// Facts of a text model in lists.
pub fn text_facts(model_type: &str) -> Value {
    json!({"pipeline_tag": "feature-extraction", "library_name": "transformers",
        "tags": ["transformers", "safetensors", "en", "license:mit"], "config": {"model_type": model_type},
        "safetensors": {"parameters": {"F32": 1000}, "total": 1000}})
}

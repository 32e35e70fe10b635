"""Tiny pipelines with random weights of the other families: SDXL, SD3 and FLUX, each a few hundred kilobytes of real diffusers code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tiny_pipeline import _tokenizer, build_tiny_pipeline

WIDTH = 32


def build_sdxl(folder: Path) -> Path:
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

    torch.manual_seed(0)
    tokenizer = _tokenizer(folder.parent / "words")
    unet = UNet2DConditionModel(
        sample_size=32,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2 * WIDTH,
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDTH,
        norm_num_groups=8,
    )
    StableDiffusionXLPipeline(
        vae=_vae(4),
        text_encoder=_clip(tokenizer),
        text_encoder_2=_clip(tokenizer),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1),
        add_watermarker=False,
    ).save_pretrained(folder, safe_serialization=True)
    return folder


def build_sd3(folder: Path) -> Path:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    torch.manual_seed(0)
    tokenizer, words = _tokenizer(folder.parent / "words"), _t5_words()
    transformer = SD3Transformer2DModel(
        sample_size=32,
        patch_size=1,
        in_channels=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=2 * WIDTH,
        caption_projection_dim=32,
        pooled_projection_dim=2 * WIDTH,
        out_channels=16,
    )
    StableDiffusion3Pipeline(
        vae=_vae(16, shift_factor=0.06),
        text_encoder=_clip(tokenizer),
        text_encoder_2=_clip(tokenizer),
        text_encoder_3=_t5(words, 2 * WIDTH),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        tokenizer_3=words,
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    ).save_pretrained(folder, safe_serialization=True)
    return folder


def build_flux(folder: Path) -> Path:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    torch.manual_seed(0)
    tokenizer, words = _tokenizer(folder.parent / "words"), _t5_words()
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        axes_dims_rope=(4, 4, 8),
    )
    FluxPipeline(
        vae=_vae(4, shift_factor=0.1),
        text_encoder=_clip(tokenizer, "CLIPTextModel"),
        text_encoder_2=_t5(words, WIDTH),
        tokenizer=tokenizer,
        tokenizer_2=words,
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    ).save_pretrained(folder, safe_serialization=True)
    return folder


PIPELINES: dict[str, Callable[[Path], Path]] = {
    "sd15": build_tiny_pipeline,
    "sdxl": build_sdxl,
    "sd3": build_sd3,
    "flux": build_flux,
}


def build_lora(file: Path, pipeline: str) -> Path:
    """Random changes to the first attention of the SD 1.5 or SDXL UNet, in the format that diffusers writes."""
    import torch
    from diffusers import DiffusionPipeline
    from safetensors.torch import save_file

    torch.manual_seed(1)
    unet = DiffusionPipeline.from_pretrained(pipeline).unet
    layers = [n for n, module in unet.named_modules() if n.endswith(("to_q", "to_v")) and module.weight.ndim == 2]
    tensors: dict[str, Any] = {}
    for name in layers:
        out, into = unet.get_submodule(name).weight.shape
        tensors[f"unet.{name}.lora_A.weight"] = torch.randn(2, into)
        tensors[f"unet.{name}.lora_B.weight"] = torch.randn(out, 2)
    save_file(tensors, file)
    return file


def _vae(channels: int, **more: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        norm_num_groups=8,
        use_quant_conv=not more,
        use_post_quant_conv=not more,
        **more,
    )


def _clip(tokenizer: Any, kind: str = "CLIPTextModelWithProjection") -> Any:
    import transformers

    return getattr(transformers, kind)(
        transformers.CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            projection_dim=WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def _t5(words: Any, width: int) -> Any:
    from transformers import T5Config, T5EncoderModel

    sizes = {"vocab_size": len(words), "d_model": width, "d_kv": 8, "d_ff": 37, "num_layers": 2, "num_heads": 4}
    return T5EncoderModel(T5Config(**sizes, decoder_start_token_id=0))


def _t5_words() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = ["<pad>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz "]
    words = Tokenizer(models.WordLevel({letter: n for n, letter in enumerate(letters)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=128
    )

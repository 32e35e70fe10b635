"""The two networks as diffusers models: saved and opened with `save_pretrained` and `from_pretrained`."""

from __future__ import annotations

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config

from tools.engines.starter_picture.network import PictureNetwork, UpscalerNetwork


class PictureTransformer(PictureNetwork, ModelMixin, ConfigMixin):  # type: ignore[misc]
    """See `PictureNetwork`."""

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        side: int = 64,
        patch: int = 8,
        width: int = 320,
        depth: int = 8,
        heads: int = 5,
        text_width: int = 384,
        text_tokens: int = 16,
    ) -> None:
        super().__init__(side, patch, width, depth, heads, text_width, text_tokens)


class PictureUpscaler(UpscalerNetwork, ModelMixin, ConfigMixin):  # type: ignore[misc]
    """See `UpscalerNetwork`."""

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, channels: int = 48, depth: int = 5, times: int = 4) -> None:
        super().__init__(channels, depth, times)

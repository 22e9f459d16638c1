"""The example workflows of NUMINA Count Guide: on the Shapes model, and on Wan 2.1 with the files that ComfyUI offers."""

from __future__ import annotations

from .workflow_file import NOTE, Group, Placed
from .workflow_parts import BLUE, GREEN, GREY, PROMPTS, PURPLE, read_prompt, side_by_side, source
from .workflow_views import FOUND_AND_AIMED_AT, layout_view

_WAN_FILES = "https://huggingface.co/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files"
WAN_FILE = "wan2.1_t2v_1.3B_fp16.safetensors"
_WAN_NEGATIVE = "blurry, low quality, deformed, static, text, watermark"

SHAPES_NOTE = """# A layout, put right

Press **Run**. Both rows start from the same noise:

- **Without the guide**: what the model does by itself.
- **With the guide**: *NUMINA Count Guide* looks, 40 % of the way, how many of each thing are about to appear. Where that \
is not what the prompt asks for, it starts again and makes the model look at the words in the right places.

**Attention Map Viewer: layout** shows what was found, and what was aimed at. The model does not \
always follow.

Then try:

1. Another prompt: circles, squares, triangles, stars, hearts, rings, crosses and moons, up to 8 in all.
2. Another **seed**, in both samplers alike.
3. **strength** down and up. 0 gives exactly the picture of the upper row.
4. *ISAC Attention Control* between the guide and the sampler: the two work together."""

WAN_NOTE = """# The right number of things in a video

1. Missing files are offered for download when this workflow is opened; all three are ComfyUI's own of **Wan 2.1 1.3B**.
2. Write into **Count Prompt** what you want, with numbers: *three cats and two dogs*.
3. Press **Run**.

*NUMINA Count Guide* stops 40 % of the way down the noise and looks how many things each frame is about to show. If that is \
right, the run goes on and costs nothing more. If not, it starts again from the same noise with the layout put right; that \
costs up to 1.4 times as long. The list below the video says what was found.

For **Wan 2.2 14B**, which comes in two parts, put the guide behind the high-noise model and connect the other part to its \
input *low_noise_model*; its second MODEL goes to the second sampler. For image to video, \
replace the empty latent by *WanImageToVideo* and connect Count Prompt to it.

It helps often, not always."""


def shapes_numina() -> tuple[Group, ...]:
    """The same noise without and with NUMINA, side by side."""
    start = source("three hearts and two squares", 4)
    note = Placed("note", NOTE, widgets={"text": SHAPES_NOTE}, title="What to do", extra_height=460)
    guide = Placed("guide", "HeadcountNuminaCountGuide", {"model": ("model", "MODEL")})
    return (
        Group("Start here", GREY, (0, 0), ((380, (note,)),)),
        Group("Model and prompt", BLUE, (440, 0), ((380, (*start[:2], read_prompt(), *start[2:])),)),
        *side_by_side("guided", guide, "the guide", "guided"),
        Group(
            *(FOUND_AND_AIMED_AT, PURPLE, (2090, 0)),
            ((420, layout_view("guide", "guided_sampler", "guided_decode")),),
        ),
    )


def _wan_loaders() -> tuple[Placed, ...]:
    return (
        Placed(
            *("model", "UNETLoader", {}, {"unet_name": WAN_FILE}),
            files=(f"{_WAN_FILES}/diffusion_models/{WAN_FILE}",),
        ),
        Placed(
            *("clip", "CLIPLoader", {}, {"clip_name": "umt5_xxl_fp8_e4m3fn_scaled.safetensors", "type": "wan"}),
            files=(f"{_WAN_FILES}/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors",),
        ),
        Placed(
            *("vae", "VAELoader", {}, {"vae_name": "wan_2.1_vae.safetensors"}),
            files=(f"{_WAN_FILES}/vae/wan_2.1_vae.safetensors",),
        ),
        Placed("shift", "ModelSamplingSD3", {"model": ("model", "MODEL")}, {"shift": 5.0}),
    )


def wan_numina() -> tuple[Group, ...]:
    """A video of Wan 2.1 with the asked number of things."""
    note = Placed("note", NOTE, widgets={"text": WAN_NOTE}, title="What to do", extra_height=420)
    prompt = Placed(
        *("prompt", "HeadcountCountPrompt", {"clip": ("clip", "CLIP")}),
        {"text": "Three cats and two dogs are running across a sunny meadow, the camera follows them from the side."},
    )
    negative = Placed(
        "negative", "CLIPTextEncode", {"clip": ("clip", "CLIP")}, {"text": _WAN_NEGATIVE}, "Negative prompt"
    )
    size = {"width": 832, "height": 480, "length": 81, "batch_size": 1}
    guide = Placed("guide", "HeadcountNuminaCountGuide", {"model": ("shift", "MODEL")})
    sampling = {"seed": 1, "steps": 30, "cfg": 6.0, "sampler_name": "uni_pc", "scheduler": "simple"}
    links = {"model": ("guide", "MODEL"), **PROMPTS, "latent_image": ("latent", "LATENT")}
    video = Placed("video", "CreateVideo", {"images": ("decode", "IMAGE")}, {"fps": 16.0})
    saved = Placed(
        "saved", "SaveVideo", {"video": ("video", "VIDEO")}, {"filename_prefix": "headcount/guided"}, extra_height=220
    )
    decoded = Placed("decode", "VAEDecode", {"samples": ("sampler", "LATENT"), "vae": ("vae", "VAE")})
    return (
        Group("Start here", GREY, (0, 0), ((380, (note,)),)),
        Group("Wan 2.1", BLUE, (440, 0), ((380, _wan_loaders()),)),
        Group(
            *("Prompt and size", BLUE, (900, 0)),
            ((400, (prompt, read_prompt(), negative, Placed("latent", "EmptyHunyuanLatentVideo", {}, size))),),
        ),
        Group(
            *("Guide and sampler", GREEN, (1380, 0)),
            ((320, (guide, Placed("sampler", "KSampler", links, sampling), decoded)),),
        ),
        Group("The video", GREEN, (1780, 0), ((420, (video, saved)),)),
        Group(FOUND_AND_AIMED_AT, PURPLE, (2280, 0), ((420, layout_view("guide", "sampler", "decode")),)),
    )

"""What the benchmarks share, each thing once. A benchmark is one file beside this folder; what only it reads, and what would
make that file too long, is in a folder named after it or here.

- `command`, `tables`, `statistics`, `store`: command lines, Markdown, bootstrap intervals, and results that are kept so that a
  stopped run can be resumed;
- `prompts`, `sampling`, `counters`: prompts of the Shapes model, pictures drawn as KSampler does, and what counts them,
  T2ICOUNT's way;
- `worlds`, `world_pictures`, `prompt_files` (made by `write_prompt_files`): the demo worlds with their counters, how their
  pictures should look, and the frozen prompts for tuning and reporting;
- `node_methods`, `judged_pictures`, `operations`: methods written as `isac_fast+search:seeds=4`, what they draw, judged by a
  counter that they do not see, and what it costs;
- `isac_ablation`: ISAC with one part exchanged;
- `servers`, `workflows`, `workflow_methods`: workflows of a user's own in running ComfyUI servers, with methods put in;
- `named_counters`, `detection`, `detectors`, `pretrained`: the nodes' counters by name, what two of them agree on, CountBench's
  Grounding DINO, and CLIP's score; `published_prompts`: counting prompts of other benchmarks;
- `models`, `real_models`: models with random weights, small or at the size of the real ones. The tests' small models are built
  with `models` too;
- `measures`, `steps`: time, memory and operations of anything, and the plain and steered steps that they are taken of;
- `effects`, `effect_figures`, `effect_tables`, `seeds`, `count_ways`, `cost_tables`, `counted_prompts`, `counting_errors`:
  parts of single benchmarks.
"""
